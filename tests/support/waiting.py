"""Waiting for what is to happen, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = 10) -> T:
    """The first truthy answer of ``condition()``; fails the test if there is none within ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.01)
