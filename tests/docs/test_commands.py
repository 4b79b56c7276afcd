"""Every command that a document prints is run, or is a row of the table of those that cannot be, and is checked as far
as it can be. What is typed is what is printed, but for the rows of ``SUBSTITUTIONS``."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs import checks, reading
from tests.docs.conftest import Service, Shell, starting
from tests.docs.reading import DOCUMENTS, ROOT, WITH_COMMENTS, Command, blocks, comments, spans
from tests.docs.tables import NOT_HERE, NOT_PASSED, SLOW, STAYS, SUBSTITUTIONS, not_here, quick

BESIDE_THE_SERVICE = (
    "README.md",
    "docs/forgetting.md",
    "docs/base-models.md",
    "docs/audit.md",
    "docs/webhooks.md",
    "docs/takedown.md",
    "docs/deletion.md",
    "docs/operations.md",
)
IN_AN_ARCHIVE = ("docs/record.md",)


def printed(document: Path) -> list[Command]:
    """What a document prints: its blocks in order, then its code spans."""
    in_blocks = [command for block in blocks(document, "sh") for command in block.commands()]
    return in_blocks + list(spans(document))


def to_run(document: Path) -> list[Command]:
    """What is run of it: a name alone, such as `lethe report`, is no command but speaks of one."""
    skipped = {command.line for command in starting().commands()} if document.name == "README.md" else set()
    commands = [command for command in printed(document) if not (not_here(command.text) or _is_name(command))]
    return [
        command
        for command in commands
        if command.line not in skipped and not (STAYS.search(command.text) and document.name != "README.md")
    ]


def everything() -> list[Command]:
    """What all documents print."""
    return [command for document in DOCUMENTS for command in printed(document)] + [
        command for file in WITH_COMMENTS for command in comments(file)
    ]


def _is_name(command: Command) -> bool:
    return re.fullmatch(r"(\.venv/bin/)?(lethe [a-z]+( [a-z]+)?|[a-z3-]+)", command.text) is not None


PNG = b"\x89png"
LEFT = {
    "README.md": {
        "report.html": b"<!doctype html>",
        "dresses.png": PNG,
        "pistols.png": PNG,
        "generator/model_index.json": b"{",
    }
}
"""Files that are there after a document was typed, with how each begins, in small letters."""


def quick_ones(document: str) -> list[Command]:
    """What is run of it in `make test`."""
    return [command for command in to_run(ROOT / document) if not SLOW.match(command.text)]


@pytest.mark.parametrize("document", BESIDE_THE_SERVICE)
def test_what_is_typed_beside_the_service(service: Service, document: str) -> None:
    service.shell.run(quick_ones(document))
    for name, begins in LEFT.get(document, {}).items():
        assert (service.shell.folder / name).read_bytes().lower().startswith(begins), name


@pytest.mark.slow
@pytest.mark.parametrize("document", BESIDE_THE_SERVICE)
def test_all_that_is_typed_beside_the_service(service: Service, document: str) -> None:
    service.shell.run(to_run(ROOT / document))


@pytest.mark.parametrize("document", IN_AN_ARCHIVE)
def test_what_is_typed_in_an_archive(archive: Shell, document: str) -> None:
    archive.run(quick_ones(document))


@pytest.mark.slow
@pytest.mark.parametrize("document", IN_AN_ARCHIVE)
def test_all_that_is_typed_in_an_archive(archive: Shell, document: str) -> None:
    shutil.rmtree(Path(archive.environment["SCRATCH"]))
    Path(archive.environment["SCRATCH"]).mkdir()
    archive.run(to_run(ROOT / document))


def anywhere() -> list[Command]:
    """What is run without a service, and not in an archive."""
    elsewhere = {*BESIDE_THE_SERVICE, *IN_AN_ARCHIVE}
    commands = [command for document in DOCUMENTS for command in to_run(document)]
    commands += [command for file in WITH_COMMENTS for command in comments(file) if not not_here(command.text)]
    return [command for command in commands if command.document not in elsewhere]


def test_what_is_typed_anywhere(shell: Shell) -> None:
    shell.run([command for command in anywhere() if not SLOW.match(command.text)])


@pytest.mark.slow
def test_all_that_is_typed_anywhere(shell: Shell) -> None:
    shell.run(anywhere())


@pytest.mark.parametrize("command", [each for each in everything() if SLOW.match(each.text)], ids=str)
def test_what_takes_long_is_taken_by_the_parser(command: Command) -> None:
    if not _is_name(command):
        checks.lethe(shlex.split(quick(command.text), comments=True))


def test_every_document_is_looked_at() -> None:
    """But the changelog, which also tells of what was."""
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {*tracked.stdout.split()} - {"CHANGELOG.md"} == {each.relative_to(ROOT).as_posix() for each in DOCUMENTS}


def test_what_compose_and_the_readme_say_of_keys_is_among_what_is_run() -> None:
    """Both once printed a command that was refused."""
    said = {command.text: command.document for command in everything() if "keys create" in command.text}
    assert {"README.md", "docker-compose.yml"} <= set(said.values())


SAYING = (".py", ".html", ".js")
ROOMS = ("api", "cli", "client", "jobs", "local", "sfd_core", "telling", "worker")


def in_messages() -> list[str]:
    """The commands that messages, help and pages name."""
    found = {}
    for path in (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.*")) if path.suffix in SAYING):
        joined = re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))  # a text over several lines
        for said in re.findall(r"(?:`|<code>)(lethe [a-z][^`<{]*)(?:`|</code>)", joined):
            found[" ".join(said.split())] = path
    return list(found)


@pytest.mark.parametrize("text", in_messages())
def test_commands_in_messages_exist(text: str) -> None:
    try:
        checks.lethe(shlex.split(text))
    except Exception as error:
        if type(error).__name__ != "MissingParameter":  # that one only its reader knows
            raise


def test_names_of_commands_exist() -> None:
    for command in everything():
        if _is_name(command) and "lethe " in command.text:
            checks.lethe(shlex.split(command.text.removeprefix(".venv/bin/")))


@pytest.mark.parametrize("command", [each for each in everything() if not_here(each.text)], ids=str)
def test_what_cannot_be_run_is_checked_as_far_as_it_can_be(command: Command, request: pytest.FixtureRequest) -> None:
    row = not_here(command.text)
    assert row is not None
    words = shlex.split(quick(command.text), comments=True)
    if row.check == "process":
        service: Service = request.getfixturevalue("service")
        checks.process(words, service.process)
    else:
        getattr(checks, row.check)(words)


@pytest.mark.parametrize("target", reading.targets())
def test_targets_that_make_lists(target: str) -> None:
    checks.make(["make", target])


def test_every_row_of_the_tables_is_used() -> None:
    texts = [command.text for command in everything()]
    texts += [block.code for document in DOCUMENTS for block in blocks(document, "python")]
    assert [row.pattern for row in NOT_HERE if not any(not_here(text) is row for text in texts)] == []
    rows = [printed for printed, _, _ in SUBSTITUTIONS] + [pattern for pattern, _ in NOT_PASSED]
    assert [row for row in rows if not any(re.search(row, text, re.DOTALL) for text in texts)] == []


@pytest.mark.parametrize(
    "line", ["lethe submit --bse fashion", "lethe frobnicate", "lethe keys create ci", "lethe sample --n"]
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|unexpected|missing|requires"):
        checks.lethe(line.split())


def test_a_wrong_script_is_noticed() -> None:
    with pytest.raises(SystemExit):
        checks.script(["python", "models/fashion/train.py", "--stpes", "3"])
    with pytest.raises(AssertionError):
        checks.script(["python", "models/fashion/trian.py"])
