"""The sections of a report, one a file. Plain: does not import torch."""

from __future__ import annotations

from sfd_core.discovery import discover
from sfd_core.evaluation.section import Section

SECTIONS: tuple[Section, ...] = discover(__name__, "SECTION", Section)
"""In the order of a page."""
