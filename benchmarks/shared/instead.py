"""A text in the place of a module: what an import finds, in this process or in every one that it starts."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[2]


def source_of(module: str) -> str:
    """Read the text of a module of this repository."""
    return path_of(module).read_text()


def path_of(module: str) -> Path:
    """Return a module's file."""
    return ROOT / (module.replace(".", "/") + ".py")


class Instead(importlib.abc.MetaPathFinder):
    """A finder of one module elsewhere: in a text. First in ``sys.meta_path`` before the module is imported."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Find only that module."""
        if name != self.module:
            return None
        loader = _Text(name, str(path_of(name)))
        loader.text = self.source
        return importlib.util.spec_from_file_location(name, path_of(name), loader=loader)


class _Text(importlib.machinery.SourceFileLoader):
    """A loader of a module from a text."""

    text: str

    def get_code(self, fullname: str) -> CodeType:
        """Compile anew, never from a cache."""
        code: CodeType = compile(self.text, str(path_of(fullname)), "exec")
        return code
