"""Mutants that live, and why no test can tell them from the module: by module, and by the line that is changed."""

from __future__ import annotations

LOOKED_AT: dict[tuple[str, str], str] = {}
