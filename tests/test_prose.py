"""Modules open with a sentence that says what they do."""

import ast
import re
from pathlib import Path

import pytest

import segpipe

ROOT = Path(segpipe.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
DIALECT = re.compile(r"\bin[,;:]? .*\bout\b|\bout[.;:]|\bin, .* out\b")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_first_line_says_what_the_module_does_and_not_what_goes_in_and_comes_out(module):
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring
    assert not DIALECT.search(docstring.splitlines()[0])
