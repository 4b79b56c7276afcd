"""The probes, one a folder: its plain half in ``__init__``, what computes in ``attack``. Plain: does not import
torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfd_core.discovery import discover
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.evaluation.probe import ProbeSpec
from sfd_core.suggestions import unknown

PROBES: Mapping[str, ProbeSpec] = {spec.name: spec for spec in discover(__name__, "PROBE", ProbeSpec)}
"""By the name that a request asks for, in the order of a page."""


def check_probes(names: Sequence[str]) -> None:
    """Refuse names of no probe, and names that come twice.

    Raises:
        InvalidRequest: with every wrong one.
    """
    errors = []
    renamed = {spec.former_name: name for name, spec in PROBES.items() if spec.former_name}
    for i, name in enumerate(names):
        where = f"/evaluation/probes/{i}"
        if name in renamed:
            errors.append(FieldError(where, f"{name!r} is now called {renamed[name]!r}"))
        elif name not in PROBES:
            errors.append(FieldError(where, unknown("probe", name, PROBES)))
        elif name in names[:i]:
            errors.append(FieldError(where, f"{name!r} is named twice"))
    if errors:
        raise InvalidRequest(tuple(errors))
