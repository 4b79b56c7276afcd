"""Which benchmarks there are: every module and package directly below ``benchmarks``, but for what they share. Each has
a ``COMMAND`` and a ``run``."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

import benchmarks
from benchmarks.shared.command import Command

_NONE = ("shared", "__main__")


def names() -> list[str]:
    """List the benchmarks by name, without importing them."""
    return sorted(found.name for found in pkgutil.iter_modules(benchmarks.__path__) if found.name not in _NONE)


def module_of(name: str) -> ModuleType:
    """Return the module that ``python -m benchmarks.<name>`` runs.

    Raises:
        ModuleNotFoundError: there is no such benchmark.
    """
    module = import_module(f"benchmarks.{name}")
    return import_module(f"{module.__name__}.__main__") if hasattr(module, "__path__") else module


def command_of(name: str) -> Command:
    """Return the command line of a benchmark."""
    command = module_of(name).COMMAND
    assert isinstance(command, Command)
    return command
