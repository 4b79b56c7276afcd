"""What the library raises for input that is wrong, each error naming the field and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """One wrong field. ``pointer`` is a JSON pointer (RFC 6901) into the request, e.g. ``/forget/0/override``."""

    pointer: str
    message: str


class InvalidRequest(ValueError):
    """A request that cannot be run; ``errors`` lists every wrong field that was found."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{e.pointer}: {e.message}" for e in errors))


class Collected:
    """Wrong fields, gathered over several checks, so that a request is told all of them at once."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def attempt(self, make: Any) -> Any:
        """Return what ``make()`` gives; None where it raises ``InvalidRequest``, whose errors are kept."""
        try:
            return make()
        except InvalidRequest as error:
            self.errors.extend(error.errors)
            return None


class PromptFileRefused(ValueError):
    """A file of prompts that will not be read: the message says which lines and what is wrong with them."""


class ModelRefused(ValueError):
    """A model folder that will not be loaded: the message says which file and what is wrong with it."""


class ModelUnavailable(RuntimeError):
    """A model of a hub that cannot be fetched now; another attempt may go better."""


class TrainingDiverged(RuntimeError):
    """A loss or a weight became NaN or infinite; the run stops and nothing of it is published."""
