"""What a run goes on from: a published generator, and what it had forgotten. Plain: does not import torch.

A service writes it when it stores a job (``jobs.continuing``), of what it knows of that generator: nobody submits it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sfd_core.request.concepts import Name
from sfd_core.request.reading import Number, known_fields_only
from sfd_core.request.recipe import Time

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[Number, Field(ge=0, le=1)]


@known_fields_only
@dataclass(frozen=True)
class Measured:
    """An estimate of a report and its 95 % interval."""

    value: Share
    low: Share
    high: Share


@known_fields_only
@dataclass(frozen=True)
class Earlier:
    """A generator of the sequence, with the unlearning accuracy of every concept that it had forgotten, by name."""

    generator: Name
    unlearning: Mapping[str, Measured]


@known_fields_only
@dataclass(frozen=True)
class Parent:
    """The published generator that a run goes on from."""

    generator: Annotated[Name, Field(description="Its id.")]
    record: Annotated[Digest, Field(description="SHA-256 of the text of its record.")]
    kept: Annotated[
        tuple[Name, ...],
        Field(min_length=1, description="The concepts that it had forgotten: they are kept forgotten."),
    ]
    t_init: Annotated[Time, Field(description="Where its steps start: so do the run's.")]
    steps: Annotated[int, Field(ge=1, description="In so many steps it draws: so does what comes of the run.")]
    history: Annotated[
        tuple[Earlier, ...], Field(description="The generators of the sequence so far, the first of them first.")
    ] = ()
