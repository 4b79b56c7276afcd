"""The types of a report's fields, with their bounds. Plain: does not import torch."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

Count = Annotated[int, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
"""From 0 to 1."""
Positive = Annotated[float, Ge(0)]
Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Registered:
    """Makes a string one of the names in a registry, ``"module:REGISTRY"``. It is looked up when a schema is made, so
    that what is lower need not import what is registered."""

    where: str

    @property
    def registry(self) -> Any:
        module, _, name = self.where.partition(":")
        return getattr(importlib.import_module(module), name)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        names: Iterable[str] = self.registry
        return core_schema.literal_schema(list(names))


def _one_key(name: str, description: str, value: dict[str, Any]) -> dict[str, Any]:
    properties = {name: {"description": description, **value}}
    return {"type": "object", "properties": properties, "required": [name], "additionalProperties": False}


_PROMPTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_OVERRIDE = [
    {"type": "string"},
    _one_key("random", "Another remaining concept is drawn for every image.", {"const": True}),
    _one_key("judge", "The remaining concept that the judge finds nearest, image by image.", {"const": True}),
    _one_key("prompts", "Each image is answered with one of these prompts, drawn at random.", _PROMPTS),
    _one_key("negative", "The prompt without the concept's words, guided away from this text.", {"type": "string"}),
    _one_key("empty", "The empty prompt.", {"const": True}),
]
OverrideJson = Annotated[str | dict[str, Any], WithJsonSchema({"anyOf": _OVERRIDE})]
"""An override as requests write it."""
