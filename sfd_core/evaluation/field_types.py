"""The types of a report's fields, with their bounds. Plain: does not import torch."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from sfd_core.request.overrides import KINDS

Count = Annotated[int, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
"""From 0 to 1."""
Positive = Annotated[float, Ge(0)]
Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def not_said(value: Any) -> bool:
    """Return whether a field that only some reports have is left out."""
    return not value


@dataclass(frozen=True)
class Registered:
    """A constraint that makes a string one of the names in a registry, ``"module:REGISTRY"``. It is looked up when a
    schema is made, so that what is lower need not import what is registered."""

    where: str

    @property
    def registry(self) -> Any:
        module, _, name = self.where.partition(":")
        return getattr(importlib.import_module(module), name)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        names: Iterable[str] = self.registry
        return core_schema.literal_schema(list(names))


OverrideJson = Annotated[str | dict[str, Any], WithJsonSchema({"anyOf": [kind.reported_schema() for kind in KINDS]})]
"""An override as requests write it."""
