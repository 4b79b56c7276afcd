"""The kinds of webhooks, one a file."""

from __future__ import annotations

from collections.abc import Mapping

from sfd_core.discovery import discover
from telling.kind import Kind

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in discover(__name__, "KIND", Kind)}
"""By name, in the order of a page."""
