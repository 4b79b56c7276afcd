"""The probes, one a folder: its plain half in ``__init__``, what computes in ``attack``. Plain: does not import
torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfd_core.base_model.manifest import Conditions
from sfd_core.discovery import discover
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.evaluation.probe import ProbeSpec
from sfd_core.suggestions import unknown

PROBES: Mapping[str, ProbeSpec] = {spec.name: spec for spec in discover(__name__, "PROBE", ProbeSpec)}
"""By the name that a request asks for, in the order of a page."""


KINDS: Mapping[Conditions, str] = {"classes": "class-conditional models", "prompts": "text-to-image models"}
"""Kinds of model, by what they are asked by, in words."""


def probes_for(kind: Conditions) -> Mapping[str, ProbeSpec]:
    """Return the probes that work on models of this kind, in the order of a page."""
    return {name: spec for name, spec in PROBES.items() if kind in spec.works_on}


def check_probes(names: Sequence[str], kind: Conditions) -> None:
    """Refuse names of no probe, names that come twice, and probes that do not work on models of this kind.

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
        elif kind not in PROBES[name].works_on:
            on = " and ".join(KINDS[each] for each in PROBES[name].works_on)
            others = ", ".join(probes_for(kind))
            errors.append(FieldError(where, f"{name!r} works on {on} only; on {KINDS[kind]} work {others}"))
    if errors:
        raise InvalidRequest(tuple(errors))
