"""What is wrong with a folder, all of it at once. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sfd_core.errors import ModelRefused

T = TypeVar("T")


@dataclass
class Faults:
    """The faults that were found so far, each a sentence."""

    found: list[str] = field(default_factory=list)

    def add(self, fault: str) -> None:
        """Add one."""
        self.found.append(fault)

    def attempt(self, make: Callable[..., T], *of: Any) -> T | None:
        """Return what ``make(*of)`` gives; None where it is refused, which is a fault."""
        try:
            return make(*of)
        except ModelRefused as error:
            self.found.append(str(error))
            return None

    def refuse(self, what: str) -> None:
        """Raise ``ModelRefused`` with every fault, if there is one. ``what``: it is that is refused."""
        if self.found:
            raise ModelRefused("\n  - ".join([f"{what} is refused:", *dict.fromkeys(self.found)]))
