"""Every fenced block of code in the README and in docs/, with what a reader would make of it."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = tuple(sorted(["README.md", "CONTRIBUTING.md", *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))]))
_FENCE = re.compile(r"^ *```([^\n]*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"needs (a cloud account|GitHub)")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
      page: its file, below the repository.
      line: of its first fence.
      language: what follows the fence.
      title: as in ```console title="needs a cloud account".
      text: what is between the fences.
    """

    page: str
    line: int
    language: str
    title: str
    text: str

    @property
    def marked(self) -> bool:
        """Whether it says that it needs what is not here."""
        return bool(_MARK.fullmatch(self.title))

    def commands(self) -> list[list[str]]:
        """The arguments of each command of a console; a backslash goes on, a # begins a comment."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if line.startswith("$ ")]


def read(page: str) -> list[Block]:
    """The blocks of a page, from the top."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        language, _, rest = fence[1].partition(" ")
        title = re.fullmatch(r'title="([^"]*)"', rest.strip())
        found.append(Block(page, text[: fence.start()].count("\n") + 1, language, title[1] if title else "", fence[2]))
    return found


def of(*languages: str) -> list[Block]:
    """Every block in one of the languages that is not marked."""
    return [block for page in PAGES for block in read(page) if block.language in languages and not block.marked]
