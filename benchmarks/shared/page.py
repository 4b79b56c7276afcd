"""Tables and pages of results. Every page says by which command and at which commit it was made."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import __main__

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "commit"
"""The file in a kept part's folder that says at which commit it was made."""


def made_by(commits: Iterable[str] = ()) -> str:
    """Write one line: the command that runs, and the commit that is checked out, or the ``commits`` of parts that were
    kept from earlier runs."""
    named = list(dict.fromkeys(commits)) or [commit()]
    plural = "s" if len(named) > 1 else ""
    return f"Made by `{command_line()}` at commit{plural} {', '.join(named)}."


def command_line() -> str:
    """Return what was typed to start this process, as it would be typed again from the repository's root."""
    spec = getattr(__main__, "__spec__", None)
    started = f"-m {spec.name.removesuffix('.__main__')}" if spec is not None else _relative(Path(sys.argv[0]))
    return " ".join(["python", started, *map(shlex.quote, sys.argv[1:])])


def commit() -> str:
    """Return the commit that is checked out, in backquotes, and whether anything but results differs from it."""
    try:
        revision = _git("rev-parse", "--short=12", "HEAD").strip()
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/results").strip()
    except (OSError, subprocess.CalledProcessError):
        return "`unknown` (no git history)"
    return f"`{revision}`" + (" with uncommitted changes" if changed else "")


def keep_commit(folder: Path) -> None:
    """Say in ``folder`` at which commit what lies there was made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COMMIT).write_text(commit() + "\n")


def kept_commits(folders: Iterable[Path]) -> list[str]:
    """Return what :func:`keep_commit` has said in ``folders``, each commit once."""
    files = [folder / COMMIT for folder in folders]
    for file in files:
        if not file.is_file():
            raise SystemExit(f"{file.parent}: nothing says at which commit it was made; remove it to have it made anew")
    return list(dict.fromkeys(file.read_text().strip() for file in files))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table as Markdown."""
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def page(title: str, *parts: str, commits: Iterable[str] = ()) -> str:
    """Write a page of results: the title, what made it, then ``parts``, each a paragraph, a table or a heading."""
    return "\n\n".join([f"# {title}", made_by(commits), *parts]) + "\n"


def write(folder: Path, name: str, text: str) -> None:
    """Print a page and keep it as ``folder``/``name``."""
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def _relative(script: Path) -> str:
    script = script.resolve()
    return str(script.relative_to(ROOT)) if script.is_relative_to(ROOT) else script.name


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
