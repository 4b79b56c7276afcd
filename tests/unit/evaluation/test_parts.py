"""Parts that are measured when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sfd_core.evaluation.parts import PartsOnDemand


@dataclass(frozen=True)
class A:
    value: int


@dataclass(frozen=True)
class B:
    value: int


def test_each_is_measured_once_and_only_if_it_is_asked_for() -> None:
    measured: list[str] = []

    def a() -> A:
        measured.append("a")
        return A(1)

    def b() -> B:
        measured.append("b")
        return B(2)

    parts = PartsOnDemand({A: a, B: b})
    assert (parts.of(B), parts.of(B), measured) == (B(2), B(2), ["b"])
    assert parts.found == (A(1), B(2))
    assert measured == ["b", "a"]
    with pytest.raises(LookupError, match="no section brings a int"):
        parts.of(int)
