"""The bundled base model's manifest and card: both are what ``measured.json`` and the files beside it say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.fashion import card
from models.fashion.distil import FASHION as BUNDLE
from sfd_core.base_model.verifying import verify_files
from sfd_core.evaluation.features import EffLite0
from sfd_core.evaluation.reference import FeatureReference, Reference
from sfd_core.families.registry import load_manifest

FASHION = Path(__file__).parents[3] / "models/fashion"


@pytest.fixture(scope="module")
def measured() -> dict[str, object]:
    return json.loads((FASHION / "measured.json").read_text())


def test_the_manifest_is_what_measure_writes(measured: dict[str, object]) -> None:
    assert json.loads((FASHION / "manifest.json").read_text()) == card.manifest(FASHION, measured)


def test_every_file_has_the_digest_that_the_manifest_states() -> None:
    verify_files(load_manifest(FASHION))


def test_the_cards_figures_are_those_measured(measured: dict[str, object]) -> None:
    text = (FASHION / "README.md").read_text()
    assert card.with_figures(text, measured) == text
    changed = json.loads(json.dumps(measured))
    changed["teacher"]["by_concept"][3] = 0.1234
    assert "0.123" in card.with_figures(text, changed)


def test_a_card_without_the_marks_is_refused(measured: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="the card needs the marks"):
        card.with_figures("# fashion\n", measured)


def test_a_control_is_listed_where_its_folder_is(measured: dict[str, object], tmp_path: Path) -> None:
    names = (*card.ALWAYS, card.REFERENCE, *BUNDLE.features.values())
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    without = card.manifest(tmp_path, measured)
    assert without["controls"] == {}
    assert set(without["files"]) == set(names)
    for name in card.CONTROL_FILES:
        path = tmp_path / "controls/without-sneaker" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    having = card.manifest(tmp_path, measured)
    assert having["controls"] == {"Sneaker": "controls/without-sneaker"}
    assert set(having["files"]) - set(names) == {f"controls/without-sneaker/{name}" for name in card.CONTROL_FILES}


def test_two_judges_that_know_their_concepts_and_are_not_alike() -> None:
    model = load_manifest(FASHION)
    assert model.second_judge is not None
    kinds = {
        json.loads((FASHION / judge.folder / "config.json").read_text())["model_type"]
        for judge in (model.judge, model.second_judge)
    }
    assert len(kinds) == 2
    assert min(model.judge.accuracy, model.second_judge.accuracy) >= 0.9
    assert model.judge.digest != model.second_judge.digest


def test_the_references_hold_what_the_report_needs() -> None:
    model = load_manifest(FASHION)
    reference = Reference.load(FASHION / model.reference)
    for part in (reference.real, reference.base_model):
        assert part.second_seen is not None
        assert part.second_seen.shape == part.labels.shape == (10_000,)
        # Two judges that agree on every image are one judge.
        assert 0.7 < (part.second_seen == part.seen).mean() < 1
    features = FeatureReference.load(FASHION / model.features[EffLite0.name])
    assert features.extractor == EffLite0.name
    assert features.real.shape == features.base_model.shape == (5000, 320)
    assert (FASHION / model.features[EffLite0.name]).stat().st_size <= 10_000_000


def test_a_first_stage_is_listed_where_its_folder_is(measured: dict[str, object], tmp_path: Path) -> None:
    pair = [f"{part}/{file}" for part in (card.GENERATOR, card.FAKE_SCORE) for file in card.NETWORK_FILES]
    for name in (*card.ALWAYS, card.REFERENCE, *BUNDLE.features.values(), *pair):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    listed = card.manifest(tmp_path, measured)
    assert listed["distilled"] == {"generator": card.GENERATOR, "fake_score": card.FAKE_SCORE, "t_init": 440}
    assert set(pair) <= set(listed["files"])
    figures = {
        **{"images_per_concept": 500, "accuracy": 0.8952, "second_judge": 0.91, "fd_against_real": 1.9},
        **{"fd_ratio": 1.7, "coverage_ratio": 0.71, "distinct": 0.998},
    }
    text = card.with_figures((FASHION / "README.md").read_text(), {**measured, "distilled": figures})
    assert "judged right 0.895" in text
    assert "1.70 times" in text
