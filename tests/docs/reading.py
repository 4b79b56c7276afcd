"""The commands that documents print: in blocks, in code spans, in the comments of Docker files, in `make`'s list."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("models/*/README.md"),
    ]
)
WITH_COMMENTS = (ROOT / "docker-compose.yml", ROOT / "Dockerfile")

PROGRAMS = ("lethe", "make", "python", "python3", "pip", "docker", "apt-get", "curl", "openssl", "jq", "npm")
"""What a command begins with, where it is not in a block of its own."""
_COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?({'|'.join(PROGRAMS)})(?: .*)?", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command as it is printed. ``line``: where it begins, from 1."""

    document: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Block:
    """A block of code. ``line``: of its first line."""

    document: str
    line: int
    language: str
    code: str

    def commands(self) -> list[Command]:
        """The commands of a block for the shell: each may run over several lines."""
        found, begun, first = [], "", self.line
        for number, line in enumerate(self.code.splitlines(), self.line):
            first = first if begun else number
            begun += line + "\n"
            if not _goes_on(begun):
                if shlex.split(begun, comments=True):
                    found.append(Command(self.document, first, begun.strip()))
                begun = ""
        assert not begun, f"{self.document}:{first}: a command without an end"
        return found


def blocks(document: Path, language: str) -> list[Block]:
    """The blocks of a document in a language, in order."""
    text = document.read_text()
    return [
        Block(_name(document), text[: found.start(1)].count("\n") + 1, language, found[1])
        for found in re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]


def spans(document: Path) -> Iterator[Command]:
    """The commands in code spans of running text."""
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), document.read_text(), flags=re.S | re.M)
    for found in re.finditer(r"`([^`]+)`", text):
        code = " ".join(found[1].split())
        if _COMMAND.fullmatch(code):
            yield Command(_name(document), text[: found.start()].count("\n") + 1, code)


def comments(file: Path) -> Iterator[Command]:
    """The commands in comments: a comment that is one, what follows a colon, or a code span."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line.startswith("#"):
            said = line.strip("# ")
            for code in [said, *re.findall(r"`([^`]+)`", said), *said.split(":  ")[1:]]:
                if _COMMAND.fullmatch(code.strip()) and " " in code.strip():
                    yield Command(_name(file), number, code.strip())


def targets() -> list[str]:
    """What `make` alone lists."""
    return re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def _goes_on(begun: str) -> bool:
    try:
        shlex.split(begun, comments=True)
    except ValueError:  # a quotation without its end
        return True
    return begun.rstrip("\n").endswith("\\")


def _name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()
