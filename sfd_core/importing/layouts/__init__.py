"""The origins of checkpoints that are known: one module each. A new one is a module here and its name in the list."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from sfd_core.importing.layout import Layout

NAMES = ("conditional_ddpm", "sid_lsg", "nvlabs_edm")


def layouts() -> Mapping[str, Layout]:
    """Return every layout, by the name of its module."""
    return {name: import_module(f"{__package__}.{name}").LAYOUT for name in NAMES}
