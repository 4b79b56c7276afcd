"""What is measured of an added model once: by hand on known answers, and kept so that nothing is ever half there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sfd_core.adding.add import add_model
from sfd_core.adding.measuring import FIRST_SEED, Judges, figures_of, keep, measure_model, on_real, shares
from sfd_core.adding.prospects import prospects
from sfd_core.adding.real_images import read_real_images
from sfd_core.adding.said import Said
from sfd_core.base_model.manifest import BaseModel, ImageFormat
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.reference import FeatureReference, Reference, ReferenceSet
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of, load_manifest
from tests.support.foreign import CARS, save_class_model, save_classifier, save_pictures

STEPS, EACH = 2, 4


@pytest.fixture
def model(tmp_path: Path) -> BaseModel:
    save_class_model(tmp_path / "cars")
    save_classifier(tmp_path / "first")
    save_classifier(tmp_path / "second", second=True)
    said = Said(judges={"": tmp_path / "first"}, second_judges={"": tmp_path / "second"}, steps=STEPS)
    return add_model(tmp_path / "cars", tmp_path / "models", said)


def measure(model: BaseModel, folder: Path | None = None) -> BaseModel:
    real = None if folder is None else read_real_images(folder, model.concepts, model.image, 100)
    (*_, (_, _, measured)) = measure_model(model, real, EACH)
    assert measured is not None
    keep(model, measured)
    return load_manifest(model.folder)


def test_shares_by_hand() -> None:
    labels, seen = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 2, 0])
    assert shares(seen, labels, 3) == {"accuracy": 0.5, "by_concept": [0.5, 0.6667, 0.0]}
    assert on_real(seen, labels, 3)["accuracy_images"] == 6


def test_what_is_kept_is_what_the_sampler_draws_and_the_judges_see(model: BaseModel, tmp_path: Path) -> None:
    save_pictures(tmp_path / "real", each=5)
    after = measure(model, tmp_path / "real")
    base, labels = load_base(after), np.repeat(np.arange(3), EACH)
    images = (
        family_of("class_unet")
        .base_sampler(base, "cpu", STEPS)
        .sample_labels(labels.tolist(), range(FIRST_SEED, FIRST_SEED + len(labels)))
    )
    judges = Judges.load(after)
    assert after.reference is not None
    kept = Reference.load(after.folder / after.reference)
    assert np.array_equal(kept.base_model.labels, labels)
    assert np.array_equal(kept.base_model.seen, judges.first.judge(images).seen)
    assert judges.second is not None
    assert np.array_equal(kept.base_model.second_seen, judges.second.judge(images).seen)
    assert after.figures["accuracy"] == round(float((kept.base_model.seen == labels).mean()), 4)
    assert after.figures["network_evaluations"] == STEPS
    assert after.judge is not None
    assert (after.judge.accuracy_images, len(after.judge.by_concept)) == (15, 3)
    assert after.judge.accuracy == round(float((kept.real.seen == kept.real.labels).mean()), 4)
    assert not any("no real images" in note for one in prospects(after) for note in one.notes)


@pytest.mark.parametrize(("each", "possible"), [(6, False), (9, True)])
def test_real_images_of_what_is_forgotten_count_for_no_distance(
    each: int, possible: bool, model: BaseModel, tmp_path: Path
) -> None:
    """The judge has 8 features, so a distance takes 18 of them: three times 6 are 18, and 12 once one is forgotten."""
    save_pictures(tmp_path / "real", each=each)
    (one,) = prospects(measure(model, tmp_path / "real"))
    why = "a Frechet distance takes 18 real images of remaining concepts; the base model's reference has 12"
    assert one.undecided == ({} if possible else {"frechet_distance_ratio": why})


def test_of_a_model_that_shows_nothing_of_any_concept_nothing_can_pass(model: BaseModel, tmp_path: Path) -> None:
    """Four images a concept of an untrained network: none is seen often enough to be missed."""
    save_pictures(tmp_path / "real", each=9)
    (one,) = prospects(measure(model, tmp_path / "real"))
    assert one.undecided == {}
    first, *_ = one.lines()
    assert first == "verdicts: fail and inconclusive are possible, pass is not:"
    assert any("for a verdict on forgetting sedan, truck, van" in line for line in one.lines())


def test_measured_again_without_real_images_the_judge_keeps_its_accuracy(model: BaseModel, tmp_path: Path) -> None:
    save_pictures(tmp_path / "real")
    first = measure(model, tmp_path / "real")
    again = measure(first)
    assert first.judge is not None
    assert again.judge == first.judge
    assert again.reference is not None
    assert len(Reference.load(again.folder / again.reference).real.labels) == 0
    assert {path.name for path in again.folder.glob("reference-*")} == {again.reference}
    load_base(again)


class _Corners:
    """Features that are known: the pixels of three corners."""

    name, digest = "Inception-2048", "sha256:" + "1" * 64

    def extract(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return images[:, [0, 0, -1], [0, -1, 0]].reshape(len(images), -1).astype(np.float32)


def featured(model: BaseModel, real: Path | None) -> BaseModel:
    pictures = None if real is None else read_real_images(real, model.concepts, model.image, 100)
    (*_, (_, _, measured)) = measure_model(model, pictures, EACH, extractors=[_Corners()])
    assert measured is not None
    assert any("a distance on them is called FD-Inception-2048" in line for line in measured.lines(model.concepts))
    keep(model, measured)
    return load_manifest(model.folder)


def test_features_of_another_network_are_kept_beside_the_judge_s(model: BaseModel, tmp_path: Path) -> None:
    save_pictures(tmp_path / "real", each=5)
    after = featured(model, tmp_path / "real")
    load_base(after)
    kept = FeatureReference.load(after.folder / after.features["Inception-2048"])
    labels = np.repeat(np.arange(3), EACH)
    sampler = family_of("class_unet").base_sampler(load_base(after), "cpu", STEPS)
    own = sampler.sample_labels(labels.tolist(), range(FIRST_SEED, FIRST_SEED + len(labels)))
    assert np.array_equal(kept.base_model, _Corners().extract(own))
    assert kept.base_model_labels.tolist() == labels.tolist()
    real = read_real_images(tmp_path / "real", after.concepts, after.image, 100)
    assert np.array_equal(kept.real, _Corners().extract(real.images))
    assert kept.real_labels.tolist() == real.labels.tolist()
    assert kept.weights == kept.only([0]).weights == _Corners.digest


def test_features_that_are_not_measured_again_stay_and_others_take_their_place(
    model: BaseModel, tmp_path: Path
) -> None:
    save_pictures(tmp_path / "real")
    first = featured(model, tmp_path / "real")
    alone = measure(first)
    assert alone.features == first.features
    again = featured(alone, None)
    assert again.features != first.features
    assert len(FeatureReference.load(again.folder / again.features["Inception-2048"]).real) == 0
    assert [path.name for path in again.folder.glob("features-*")] == list(again.features.values())
    load_base(again)


def test_until_the_manifest_is_written_the_old_one_holds(model: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    before = measure(model)
    (*_, (_, _, measured)) = measure_model(before, None, EACH + 1)
    assert measured is not None

    def killed(folder: Path, raw: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sfd_core.adding.writing.write_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(before, measured)
    now = load_manifest(before.folder)
    assert now.reference == before.reference
    assert load_base(now).model.digest == before.digest


def test_a_distance_is_left_out_where_the_images_are_too_few() -> None:
    few = ReferenceSet(np.ones((4, 8), np.float32), np.arange(4) % 2, np.zeros(4, np.int64), np.ones(4, np.float32))
    assert "fd_against_real" not in figures_of(few, few.only([]), 2, 1, 1.0)


def test_a_model_without_a_judge(tmp_path: Path) -> None:
    save_class_model(tmp_path / "cars")
    model = add_model(tmp_path / "cars", tmp_path / "models", Said())
    with pytest.raises(ModelRefused, match="has no judge, so nothing can be measured"):
        next(measure_model(model, None, 2))


def test_real_images_are_cut_resized_and_made_grey(tmp_path: Path) -> None:
    save_pictures(tmp_path, side=8)
    read = read_real_images(tmp_path, CARS, ImageFormat(3, 8, 8), 2)
    assert read.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.array_equal(read.images[0], np.asarray(Image.open(tmp_path / "sedan/0.png")))
    assert read_real_images(tmp_path, CARS, ImageFormat(1, 4, 6), 1).images.shape == (3, 4, 6)


def test_every_fault_of_real_images_is_listed(tmp_path: Path) -> None:
    save_pictures(tmp_path, ("sedan", "bicycle"))
    (tmp_path / "van").mkdir()
    (tmp_path / "sedan/broken.png").write_bytes(b"no image")
    with pytest.raises(ModelRefused) as refused:
        read_real_images(tmp_path, CARS, ImageFormat(3, 8, 8), 9)
    for said in ("no subfolder for truck", "bicycle are no concepts", "van/ has no images", "broken.png: no image can"):
        assert said in str(refused.value)
