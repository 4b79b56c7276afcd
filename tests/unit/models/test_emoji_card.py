"""The emoji model's manifest and card: both are what ``measured.json`` and the files beside it say."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from models.emoji import card
from models.shared import cards

EMOJI = Path(card.__file__).parent

SIZES = {"object": 48, "style": 3}


def _network(domain: str, **further: Any) -> dict[str, Any]:
    other = {"object": "style", "style": "object"}[domain]

    def shares() -> dict[str, Any]:
        return {"accuracy": 0.9, "by_concept": [0.9] * SIZES[domain]}

    return {
        "images": 864,
        **shares(),
        "second_judge": shares(),
        "judges_agree": 0.95,
        "features": "judge-96",
        "fd_against_real": 3.2,
        "fd_floor_real": 0.5,
        "further_features": {"EffLite0-320": {"images": 864, "fd_against_real": 210.0, "fd_floor_real": 20.0}},
        "images_per_second": 12.0,
        "cross_domain": {other: shares()},
        **further,
    }


@pytest.fixture
def measured() -> dict[str, Any]:
    """As ``measure.py teacher`` leaves it."""
    judge = {domain: {"accuracy_images": 5184, "accuracy": 1.0, "by_concept": [1.0] * n} for domain, n in SIZES.items()}
    right = {"judge": 1.0, "second_judge": 0.999}
    worse = {"images": 864, "clean": right, "blur_1.0": right}
    judges = {domain: {"judge": of, "second_judge": of, "robustness": worse} for domain, of in judge.items()}
    sampler = {"sampler": "DDIM", "network_evaluations": 15, "guidance": 2.0, "images_per_concept": 18}
    return {"judges": judges, "teacher": {domain: _network(domain, **sampler) for domain in SIZES}}


def _folder(folder: Path, distilled: bool) -> Path:
    names = [*card.PIPELINE, *card.REFERENCE.values()]
    for domain in card.DOMAINS:
        names += [f"{judge}{domain}/{file}" for judge in ("judge-", "second-judge-") for file in card.JUDGE_FILES]
        names += card.FEATURES[domain].values()
    if distilled:
        names += [f"{part}/{file}" for part in (card.GENERATOR, card.FAKE_SCORE) for file in card.NETWORK_FILES]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_the_manifest_lists_every_file_and_both_domains(measured: dict[str, Any], tmp_path: Path) -> None:
    manifest = card.manifest(_folder(tmp_path, distilled=False), measured)
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == there
    assert list(manifest["domains"]) == ["object", "style"]
    for domain, entry in manifest["domains"].items():
        assert entry["teacher"] == measured["teacher"][domain]
        assert len(entry["judge"]["by_concept"]) == SIZES[domain]
        assert entry["judge"]["digest"] != entry["second_judge"]["digest"]
    assert "distilled" not in manifest


def test_what_stage_one_left_is_listed_where_it_is(measured: dict[str, Any], tmp_path: Path) -> None:
    manifest = card.manifest(_folder(tmp_path, distilled=True), measured)
    assert manifest["distilled"]["generator"] == "distilled/generator"
    assert "distilled/fake_score/diffusion_pytorch_model.safetensors" in manifest["files"]


def test_a_missing_file_is_an_error_and_not_a_shorter_list(measured: dict[str, Any], tmp_path: Path) -> None:
    folder = _folder(tmp_path, distilled=True)
    (folder / "vae/config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"vae/config\.json"):
        card.manifest(folder, measured)


def test_the_cards_figures_are_those_measured(measured: dict[str, Any]) -> None:
    text = card.with_figures((EMOJI / "README.md").read_text(), measured)
    assert card.with_figures(text, measured) == text
    assert "| pistol | 0.900 | 0.900 |" in text
    assert "one step" not in text.split(cards.BEGIN)[1].split(cards.END)[0]
    changed = copy.deepcopy(measured)
    changed["teacher"]["object"]["by_concept"][37] = 0.1234
    changed["distilled"] = {domain: _network(domain, fd_against_teacher=1.0) for domain in SIZES}
    with_both = card.with_figures(text, changed)
    assert "| pistol | 0.123 | 0.900 | 0.900 | 0.900 |" in with_both
    assert "| object | base model, 15 steps | its style | one step, nothing forgotten | its style |" in with_both


def test_a_card_without_the_marks_is_refused(measured: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the card needs the marks"):
        card.with_figures("# emoji\n", measured)
