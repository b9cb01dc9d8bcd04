"""Every block of code in the README and in docs/ is run, or says that it needs a cloud account or GitHub.

A block in a language that nothing here runs fails, and so does a console that is not a list of commands.
"""

import re
import subprocess
import tomllib

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from segpipe.config import Config
from tests.docs import blocks
from tests.docs.blocks import ROOT, Block

RUN_BY = {
    "console": "tests/docs/test_commands.py",
    "python": "tests/docs/test_commands.py",
    "toml": "tests/docs/test_blocks.py",
    "prototext": "tests/docs/test_blocks.py",
    "mermaid": "",  # a drawing
}
PYTHON_RUN_BY = {
    "docs/extending.md": "tests/docs/test_extending.py",
    "docs/hfpusher.md": "tests/publish/test_documentation.py",
    "docs/huggingface.md": "tests/publish/test_documentation.py",
    "docs/serving.md": "tests/docs/test_commands.py",
}


def every_block() -> list[Block]:
    return [block for page in blocks.PAGES for block in blocks.read(page)]


def place(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("block", every_block(), ids=place)
def test_something_runs_it_or_it_says_what_it_needs(block):
    if block.marked:
        return
    assert block.language in RUN_BY, f"nothing runs {block.language or 'an untagged block'}; see {__name__}"
    assert not block.title.startswith("needs"), f"{block.title!r} is no mark that there is"
    if block.language == "python":
        test = PYTHON_RUN_BY[block.page]
        assert block.page.removeprefix("docs/") in (ROOT / test).read_text(encoding="utf-8")
    if block.language == "console":
        assert block.commands()
        lines = block.text.replace("\\\n", " ").splitlines()
        assert all(line.startswith("$ ") for line in lines), "a console holds commands alone, each after '$ '"


@pytest.mark.parametrize("block", blocks.of("toml"), ids=place)
def test_a_setting_that_is_shown_exists(block):
    shown = tomllib.loads(block.text)
    data = {"classes": ("sea", "land", "water")} | shown.pop("data", {})
    Config.model_validate({"name": "shown", "data": data, **shown})


@pytest.mark.parametrize("block", blocks.of("prototext"), ids=place)
def test_a_schema_that_is_shown_can_be_read(block):
    assert text_format.Parse(block.text, schema_pb2.Schema()).feature


def test_every_make_target_that_is_named_exists():
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in blocks.PAGES)
    named = {target for words in re.findall(r"(?:`|\$ )make ([a-z -]+)", text) for target in words.split()}
    assert {"demo", "test", "check", "docs"} <= named
    subprocess.run(["make", "--dry-run", *sorted(named)], cwd=ROOT, check=True, capture_output=True)


def test_a_block_that_nothing_runs_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text('```\nsegpipe serve\n```\n\n```console title="needs a cloud account"\n$ gcloud info\n```\n')
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    untagged, marked = blocks.read("page.md")
    assert marked.marked
    with pytest.raises(AssertionError, match="nothing runs an untagged block"):
        test_something_runs_it_or_it_says_what_it_needs(untagged)
