"""The documents and the command's help use the words of ``docs/glossary.md``, and not those that were found obscure."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    "nothing is left to gain",
    "what a pass takes",
    "made elsewhere",
    "vouches",
    "signs of life",
    "came to nothing",
    "from nought",
    "say no",
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
    words = [word for word in OUT if "_" not in word]  # a name in code is the code's own
    assert [(name, word) for name, text in said.items() for word in words if word in text.lower()] == []
    assert [name for name, text in said.items() if re.search(TEACHER, text, re.IGNORECASE)] == []


def test_every_word_in_code_of_the_glossary_is_one() -> None:
    """Names of files in the glossary exist."""
    names = re.findall(r"`((?:jobs|sfd_core)/[\w/.]+)`", (ROOT / "docs/glossary.md").read_text())
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
