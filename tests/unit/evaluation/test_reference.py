"""Reference files: what is written is what is read, and what is none is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sfd_core.errors import ModelRefused
from sfd_core.evaluation.reference import FeatureReference, Reference, ReferenceSet


def drawn(n: int, second: bool, seed: int = 0) -> ReferenceSet:
    rng = np.random.default_rng(seed)
    labels, seen = rng.integers(0, 10, n), rng.integers(0, 10, n)
    features = rng.normal(size=(n, 6)).astype(np.float32)
    confidence = rng.random(n).astype(np.float32)
    return ReferenceSet(features, labels, seen, confidence, rng.integers(0, 10, n) if second else None)


@pytest.mark.parametrize("second", [True, False])
def test_a_reference_is_read_as_it_was_written(tmp_path: Path, second: bool) -> None:
    real, teacher = drawn(30, second), drawn(20, second, seed=1)
    Reference(real, teacher).save(tmp_path / "reference.safetensors")
    read = Reference.load(tmp_path / "reference.safetensors")
    for before, after in ((real, read.real), (teacher, read.base_model)):
        assert after.labels.tolist() == before.labels.tolist()
        assert after.seen.tolist() == before.seen.tolist()
        assert np.allclose(after.features, before.features, rtol=1e-3)  # half precision
        assert np.allclose(after.confidence, before.confidence, atol=1e-3)
        assert (after.second_seen is None) == (before.second_seen is None)
        if before.second_seen is not None and after.second_seen is not None:
            assert after.second_seen.tolist() == before.second_seen.tolist()


def test_a_part_of_a_reference_keeps_rows_together() -> None:
    whole = drawn(200, second=True)
    part = whole.only([2, 7])
    rows = np.flatnonzero((whole.labels == 2) | (whole.labels == 7))
    assert set(part.labels.tolist()) == {2, 7}
    assert np.array_equal(part.features, whole.features[rows])
    assert whole.second_seen is not None
    assert part.second_seen is not None
    assert part.second_seen.tolist() == whole.second_seen[rows].tolist()
    assert whole.only([]).labels.tolist() == []


@pytest.mark.parametrize("load", [Reference.load, FeatureReference.load])
def test_what_is_no_reference_file_is_refused(tmp_path: Path, load: Callable[[Path], object]) -> None:
    torn, other = tmp_path / "torn.safetensors", tmp_path / "other.safetensors"
    torn.write_bytes(b"\x10\x00")
    save_file({"weight": torch.zeros(2)}, other)
    for path in (tmp_path / "nothing.safetensors", torn, other):
        with pytest.raises(ModelRefused, match=f"{path.name}: not a file of reference"):
            load(path)
