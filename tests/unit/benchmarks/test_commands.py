"""Every benchmark is a command: it imports, says what it does, and its quick form differs in sizes alone. A new one is
found here without a line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
import torch

import benchmarks.__main__ as everything
from benchmarks.shared import command as shared
from benchmarks.shared.command import FIGURE, OUT, Command, Folder, Option
from benchmarks.shared.discovery import command_of, module_of, names

NAMES = names()


def test_every_file_of_benchmarks_is_found() -> None:
    folder = Path(everything.__file__).parent
    found = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert {*NAMES} == found - {"__init__", "__main__", "shared"}
    assert len(NAMES) >= 11


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_says_what_it_does_and_has_a_quick_form(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, module = command_of(name), module_of(name)
    with pytest.raises(SystemExit) as ended:
        command.parse(["--help"])
    help = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"python -m benchmarks.{name} [-h] [--quick]" in help
    assert (module.__doc__ or "?") in help
    assert callable(module.run)
    published, quick = (vars(command.parse(arguments)) for arguments in ([], ["--quick"]))
    assert published != quick | {"quick": False}, "its quick form is no smaller"
    assert published == {**published, **{option.attribute: option.default for option in command.options}}


def test_a_quick_form_can_still_be_told_otherwise() -> None:
    command = Command("x", "What it does.\n\nMore.", Option("--rounds", 6, "rounds", quick=1))
    assert command.summary == "What it does."
    assert [command.parse(a).rounds for a in ([], ["--quick"], ["--quick", "--rounds", "3"])] == [6, 1, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rows", "9"], "--rows: '9' is none of 1, 2"),
        (["--rounds", "many"], "--rounds: 'many' is no int"),
        (["--round", "3"], "unrecognized arguments: --round 3"),
    ],
)
def test_a_wrong_option_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = Command("x", "X.", Option("--rows", (1, 2), "rows", choices=(1, 2)), Option("--rounds", 6, "rounds"))
    with pytest.raises(SystemExit):
        command.parse(arguments)
    assert said in capsys.readouterr().err


def test_options_of_every_kind_are_read() -> None:
    command = Command(
        "x",
        "X.",
        Option("parts", ("a",), "parts", quick=("a", "b"), choices=("a", "b")),
        Option("--only", (1, 2), "rows"),
        Option("--flag", False, "a flag"),
        Option("--json", None, "a file", kind=Path),
        Folder("--work", Path("build"), "kept"),
    )
    assert vars(command.parse([])) == {
        "quick": False, "parts": ("a",), "only": (1, 2), "flag": False, "json": None, "work": Path("build")
    }  # fmt: skip
    asked = command.parse(["b", "--only", "2", "--flag", "--json", "f", "--work", "w"])
    assert (asked.parts, asked.only, asked.flag, asked.json, asked.work) == (["b"], [2], True, Path("f"), Path("w"))
    assert command.parse(["--quick"]).parts == ("a", "b")


def test_a_quick_form_writes_into_a_temporary_folder_and_ends_with_its_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Path] = []

    def run(arguments: argparse.Namespace) -> str:
        arguments.out.mkdir()
        seen.append(arguments.out)
        return "42"

    monkeypatch.setattr(sys, "argv", ["x", "--quick"])
    Command("x", "X.", OUT).main(run)
    assert capsys.readouterr().out.splitlines()[-1] == f"{FIGURE}42"
    assert seen != [OUT.default]
    assert not seen[0].exists()


def test_a_command_without_a_page_says_what_made_its_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["x"])
    monkeypatch.setattr(shared, "made_by", lambda: "Made by me.")
    Command("x", "X.").main(lambda arguments: "")
    assert "Made by me." in capsys.readouterr().out


def result(name: str, ok: bool = True) -> everything.Result:
    return everything.Result(name, 1.0, ok, f"printed by {name}\n{FIGURE}figure of {name}\n")


def test_all_are_run_and_one_that_fails_is_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert everything.run_all(("a", "b"), result, 2) == 0
    out = capsys.readouterr().out
    assert "| a | 1 | ok | figure of a |\n| b | 1 | ok | figure of b |" in out
    assert "2 of 2 ran" in out
    assert everything.run_all(("a", "b"), lambda name: result(name, name != "a"), 1) == 1
    out = capsys.readouterr().out
    assert "printed by a" in out
    assert "printed by b" not in out
    assert "| a | 1 | FAILED |  |\n| b | 1 | ok | figure of b |" in out
    assert "1 of 2 ran" in out


def test_a_benchmark_that_ends_badly_or_never_has_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "benchmarks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "broken.py").write_text("print('so far', flush=True)\nraise TypeError('moved')\n")
    (package / "endless.py").write_text("print('so far', flush=True)\nimport threading\nthreading.Event().wait()\n")
    monkeypatch.setattr(everything, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    broken = everything.quick("broken")
    assert not broken.ok
    assert "so far" in broken.output
    assert "TypeError: moved" in broken.output
    monkeypatch.setattr(everything, "TIMEOUT", 2.0)
    endless = everything.quick("endless")
    assert not endless.ok
    assert endless.output == "so far\n\nnot finished after 2 s"


def test_the_list_names_every_benchmark_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert everything.main([]) == 0
    out = capsys.readouterr().out
    for name in NAMES:
        assert f"python -m benchmarks.{name} " in out
    with pytest.raises(SystemExit):
        everything.main(["--quick", "nothing"])
    assert "no such benchmark: nothing; there are all_classes," in capsys.readouterr().err


def test_a_gpu_is_asked_for_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="needs a GPU; without one: --quick"):
        module_of("gpu").run(command_of("gpu").parse([]))
