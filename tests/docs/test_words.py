"""What readers see uses the words of ``docs/glossary.md``, and not those that were found obscure: documents, the
command's help, the API's document, the client's types, the dashboard and the report."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from cli.main import app
from tests.docs.reading import DOCUMENTS, ROOT

OUT = (
    "asked in other words",
    "asked for in other words",
    "teach it again",
    "image start",
    "image_start",
    "condition attack",
    "condition_attack",
    "never knew it",
    "never_knew",
    "by the draw",
    "left to gain",
    "what a pass takes",
    "made elsewhere",
    "vouches",
    "signs of life",
    "came to nothing",
    "from nought",
    "say no",
    "nobody judged",
    "nobody looked",
    "nobody said",
    "all the same",
    "at most so many",
    "taught",
)
TEACHER = r"\bteacher"
"""The base model's name in the losses: not in documents, but for those of the method."""

SAY_WHAT_IS_OUT = {"docs/glossary.md"}
OLD = ("docs/results/", "docs/adr/")
"""What was measured and decided, in the words of then."""
READ = {
    name: path.read_text()
    for path in DOCUMENTS
    if not (name := path.relative_to(ROOT).as_posix()).startswith(OLD) and name not in SAY_WHAT_IS_OUT
}


SHOWN = [
    *(ROOT / name for name in ("openapi.json", "client/reports.py")),
    *ROOT.glob("api/dashboard/templates/**/*.html"),
    *ROOT.glob("api/dashboard/static/*.js"),
    *ROOT.glob("sfd_core/report/page/**/*.html"),
    *(ROOT / "sfd_core/report/page").glob("*.py"),
    *ROOT.glob("sfd_core/evaluation/sections/*.py"),
    *ROOT.glob("sfd_core/evaluation/criteria/*.py"),
    *ROOT.glob("sfd_core/evaluation/probes/*/__init__.py"),
]
"""What users read that is no document: whole files, of Python the strings."""
WORDS = [word for word in OUT if "_" not in word]
"""Without names in code, which are the code's own."""


def strings(source: str) -> str:
    """The strings of a module, docstrings included."""
    found = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return "\n".join(value for value in found if isinstance(value, str))


def prose(text: str) -> str:
    """A document without code, file names and the figures that a script has written."""
    text = re.sub(r"<!-- figures.*?<!-- end of figures -->", "", text, flags=re.DOTALL)
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def helps(command: object, name: str = "lethe") -> Iterator[tuple[str, str]]:
    """The help of every command, its arguments' included."""
    said = [getattr(command, "help", None)] + [getattr(each, "help", None) for each in getattr(command, "params", ())]
    yield name, "\n".join(filter(None, said))
    for word, under in getattr(command, "commands", {}).items():
        yield from helps(under, f"{name} {word}")


@pytest.mark.parametrize("document", READ)
@pytest.mark.parametrize("word", OUT)
def test_no_document_uses_a_word_that_is_out(document: str, word: str) -> None:
    assert word not in " ".join(READ[document].lower().split())


@pytest.mark.parametrize("document", READ)
def test_documents_say_base_model(document: str) -> None:
    assert not re.search(TEACHER, prose(READ[document]), re.IGNORECASE)


def test_help_uses_no_word_that_is_out() -> None:
    said = dict(helps(typer.main.get_command(app)))
    assert len(said) > 15
    assert [(name, word) for name, text in said.items() for word in WORDS if word in text.lower()] == []
    assert [name for name, text in said.items() if re.search(TEACHER, text, re.IGNORECASE)] == []


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_is_shown_uses_a_word_that_is_out(path: Path) -> None:
    text = strings(path.read_text()) if path.suffix == ".py" else path.read_text()
    text = " ".join(text.replace("\\n", " ").lower().split())
    assert [word for word in WORDS if word in text] == []


def test_every_word_in_code_of_the_glossary_is_one() -> None:
    """Names of files in the glossary exist."""
    names = re.findall(r"`((?:jobs|sfd_core)/[\w/.]+)`", (ROOT / "docs/glossary.md").read_text())
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
