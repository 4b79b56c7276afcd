"""Every page of ``docs/results`` names the commit and the command that made it, and the command is still there. The
commit is the one whose code made the figures: that of the page, or the one before it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.shared.discovery import command_of
from benchmarks.shared.page import ROOT, commit, keep_commit, kept_commits, made_by, page, table
from models.emoji import step_curve

RESULTS = ROOT / "docs/results"
PAGES = sorted([*RESULTS.glob("*.md"), *RESULTS.glob("*.log")])
MADE_BY = re.compile(r"Made by `(?P<command>[^`]+)` at commits? (?P<commits>`[0-9a-f]{12}`(?:, `[0-9a-f]{12}`)*)[.:]?")


def made(path: Path) -> list[re.Match[str]]:
    """The lines that say what made a page."""
    return list(MADE_BY.finditer(path.read_text()))


def commands() -> Iterator[str]:
    for path in PAGES:
        yield from (match["command"] for match in made(path))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_says_what_made_it(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert MADE_BY.search(lines[0 if path.suffix == ".log" else 2]), f"line 3 of {path.name}: Made by `...` at commit"
    assert path.read_text().count("Made by") == len(made(path)), "a commit with changes on top does not name its code"


def test_every_other_result_belongs_to_a_page() -> None:
    stems = {path.stem for path in PAGES}
    for path in RESULTS.iterdir():
        assert path.stem in stems or any(path.name in page.read_text() for page in PAGES), path.name


def test_every_commit_is_in_the_history() -> None:
    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("this checkout has no whole history")
    named = {name for path in PAGES for match in made(path) for name in re.findall(r"[0-9a-f]{12}", match["commits"])}
    unknown = [name for name in named if git("cat-file", "-e", f"{name}^{{commit}}").returncode]
    assert not unknown


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("command", sorted({*commands()}))
def test_the_command_that_made_a_page_is_still_there(command: str) -> None:
    check_command(command)


@pytest.mark.parametrize(
    "command",
    ["python -m benchmarks.gone", "python -m benchmarks.step --gone", "make gone", "pytest tests/gone.py", "rm -r x"],
)
def test_a_command_that_is_not_there_is_found(command: str) -> None:
    with pytest.raises((AssertionError, SystemExit, ModuleNotFoundError)):
        check_command(command)


def check_command(command: str) -> None:
    """Hold that ``command`` could be run: what it starts is there and takes these arguments."""
    match shlex.split(command):
        case ["python", "-m", "models.emoji.step_curve", *arguments]:
            step_curve.parser().parse_args(arguments)
        case ["python", "-m", module, *arguments]:
            package, _, name = module.partition(".")
            assert package == "benchmarks", command
            command_of(name).parse(arguments)
        case ["make", target]:
            assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
        case ["pytest", *paths]:
            assert all((ROOT / path).is_file() for path in paths), command
        case _:
            raise AssertionError(f"{command}: nothing here checks such a command")


def test_a_page_that_is_written_says_what_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["x", "--only", "T-shirt", "Ankle boot"])
    monkeypatch.setattr("benchmarks.shared.page.commit", lambda: "`0123456789ab`")
    lines = page("Title", "Said.", table(("a", "b"), [(1, "x")])).splitlines()
    assert lines[0] == "# Title"
    found = MADE_BY.fullmatch(lines[2])
    assert found is not None
    assert found["command"].endswith(" --only T-shirt 'Ankle boot'")
    assert lines[4:] == ["Said.", "", "| a | b |", "| --- | --- |", "| 1 | x |"]


def test_a_page_of_parts_that_were_kept_names_the_commits_of_these(tmp_path: Path) -> None:
    for name, said in (("a", "`0123456789ab`"), ("b", "`ba9876543210`"), ("c", "`0123456789ab`")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "commit").write_text(said + "\n")
    found = MADE_BY.fullmatch(made_by(kept_commits(tmp_path / name for name in "abc")))
    assert found is not None
    assert found["commits"] == "`0123456789ab`, `ba9876543210`"


def test_a_kept_part_says_its_commit(tmp_path: Path) -> None:
    keep_commit(tmp_path / "part")
    assert kept_commits([tmp_path / "part"]) == [commit()]
    with pytest.raises(SystemExit, match="older: nothing says at which commit"):
        kept_commits([tmp_path / "part", tmp_path / "older"])


def test_changes_that_are_not_committed_are_said_and_no_page_may_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"rev-parse": "0123456789ab\n", "status": " M sfd_core/run.py\n"}
    monkeypatch.setattr("benchmarks.shared.page._git", lambda name, *_: answers[name])
    assert commit() == "`0123456789ab` with uncommitted changes"
    assert MADE_BY.fullmatch(made_by()) is None
    answers["status"] = ""
    assert commit() == "`0123456789ab`"
