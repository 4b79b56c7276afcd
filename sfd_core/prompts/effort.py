"""How much work it is to plan a request's prompts. Counted, not timed: what one machine admits every other admits, and
the worker that runs a job admits what the service has admitted. Plain."""

from __future__ import annotations

from sfd_core.errors import FieldError, InvalidRequest

MOST = 10_000_000
"""Characters that are compared with words beyond what every prompt takes, in all: less than a second of one core."""
MAX_CONDITIONS = 100_000
"""Prompts and answers to them that one request makes, each of which a text encoder reads. Those of a list that is given
once count once."""


class Effort:
    """The effort that checking or planning one request may still take."""

    def __init__(self) -> None:
        self._left = MOST
        self._conditions = MAX_CONDITIONS

    def spend(self, characters: int) -> None:
        """Count so many comparisons.

        Raises:
            InvalidRequest: where they are too many, all in all.
        """
        self._left -= characters
        if self._left < 0:
            message = "takes too long to plan: give fewer or shorter words and prompts, or several requests"
            raise InvalidRequest((FieldError("/forget", message),))

    def make(self, conditions: int) -> None:
        """Count so many prompts that are made.

        Raises:
            InvalidRequest: where they are too many, all in all.
        """
        self._conditions -= conditions
        if self._conditions < 0:
            message = (
                f"its words, prompts and overrides make more than {MAX_CONDITIONS} prompts and answers together: give "
                "fewer, or several requests"
            )
            raise InvalidRequest((FieldError("/forget", message),))
