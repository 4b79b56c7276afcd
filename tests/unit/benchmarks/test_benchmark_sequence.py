"""``benchmarks.sequence`` on tiny models: its three ways, going on after an interruption, and its page."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sequence.__main__ import results
from benchmarks.sequence.figures import figures_of
from benchmarks.sequence.runs import AT_ONCE, FIRST_STAGE, KEPT, NAIVE, WAYS, Bench, looked_at, newest_alone
from benchmarks.sequence.series import SERIES, Series, check_told_apart
from benchmarks.sequence.table import Rows, document, picture, summed_up, targets
from benchmarks.shared.experiment import Experiment, bundled
from sfd_core.admission import admit
from sfd_core.evaluation.intervals import wilson
from sfd_core.run import unlearn
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_text_model import make_tiny_text_model

CLASSES = Series("tiny", (("red", "grey"), ("green", "grey")), 0.97, 64, 64, 4, 4)
MANY: dict[str, int | None] = {"requests": None, "images": None, "later": None, "retained": None, "forgotten": None}


class Killed(Exception):
    pass


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_tiny_model(tmp_path / "model"), CLASSES, tmp_path / "work")


def test_an_interrupted_run_goes_on_with_what_it_has(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    started: list[list[str]] = []

    def counted(admitted: Any, *arguments: Any, **named: Any) -> Any:
        started.append([item.concept for item in admitted.request.forget])
        return unlearn(admitted, *arguments, **named)

    monkeypatch.setattr("benchmarks.sequence.runs.unlearn", counted)
    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.sequence.runs.save_pair", killed)  # at the end of the naive job's training
        with pytest.raises(Killed):
            results(bench, WAYS, finished=False)
    assert started == [["red"], ["green", "red"]]
    there, folders = results(bench, WAYS, finished=True)
    assert list(there) == [(FIRST_STAGE, 2), (KEPT, 1), (KEPT, 2), (NAIVE, 1)]
    assert "Not finished: naive, the last 1 of 2." in document([(CLASSES, there)], ["`0123456789ab`"])
    assert len({*folders}) == 3, "the first job is one for both ways"

    rows, _ = results(bench, WAYS, finished=False)
    assert started[2:] == [["red", "green"]]
    assert {name: rows[name] for name in there} == there
    assert rows == results(bench, WAYS, finished=False)[0] == results(bench, WAYS, finished=True)[0]
    assert len(started) == 3

    kept = json.loads((bench.folder(KEPT, 2) / "report" / "report.json").read_text())
    assert [row["concept"] for row in kept["kept_forgotten"]] == ["red"]
    for way in WAYS:
        figures = rows[way, 2]["figures"]
        assert {*figures["unlearning"]} == {"red", "green"}
        assert figures["domains"][""]["remaining"] == ["blue", "grey"]
    assert {way: rows[way, 2]["verdict"] is None for way in WAYS} == {KEPT: False, NAIVE: True, AT_ONCE: False}

    shutil.rmtree(bench.folder(KEPT, 1) / "pair")
    with pytest.raises(SystemExit, match="kept-2: made with other options"):
        results(bench, (KEPT,), finished=True)
    with pytest.raises(SystemExit, match="made with other options"):
        results(replace(bench, series=replace(CLASSES, images=128)), (KEPT,), finished=False)


def test_the_naive_way_asks_for_the_newest_alone_and_earlier_ones_are_in_no_batch(bench: Bench) -> None:
    plan = Experiment.of(bench.model, CLASSES.body([1, 0], first=False)).plan
    naive = newest_alone(plan).forgetting
    asked = [[list(conditions) for conditions in table.forgotten] for table in (plan.forgetting, naive)]
    assert asked == [[[1], [0]], [[1]]]
    assert list(naive.remaining) == list(plan.forgetting.remaining) == [2, 3]


def test_objects_and_styles_are_measured_each_in_its_domain(tmp_path: Path) -> None:
    model = make_tiny_text_model(tmp_path / "model", domains=True)
    asked = [("pistol", "banana"), ("noto", "fluent")]
    mixed = replace(CLASSES, base="tiny-text", requests=tuple(asked))
    experiment = Experiment.of(model, mixed.body([1, 0], first=True))
    found = figures_of(looked_at(experiment.generator(experiment.start()), experiment))
    assert [*found["unlearning"]] == ["noto", "pistol"]
    assert {name: domain["remaining"] for name, domain in found["domains"].items()} == {
        "style": ["fluent"],
        "object": ["apple", "banana", "castle"],
    }
    rows: Rows = {(FIRST_STAGE, 2): made(found), (AT_ONCE, 2): made(found)}
    drop = targets(mixed, rows)[1][1]
    assert re.fullmatch(r"object \+0\.0000 \[.+\]; style \+0\.0000 \[.+\]: yes", drop), drop


def figures(ua: dict[str, int], right: int, ratio: float | None = 1.2) -> dict[str, Any]:
    """``ua``: images of 1000 that do not show a concept; ``right``: of 400 of the one that remains."""

    def written(hits: int, n: int) -> dict[str, Any]:
        return vars(wilson(hits, n))

    shown = {"grey": (right, 400)} | {concept: (1000 - gone, 1000) for concept, gone in ua.items()}
    measured = None if ratio is None else {"value": ratio, "low": ratio - 0.1, "high": ratio + 0.1, "n": 400}
    domain = {"drop": written(4, 400), "frechet_ratio": measured, "remaining": ["grey"], "shown": shown}
    return {"unlearning": {concept: written(gone, 1000) for concept, gone in ua.items()}, "domains": {"": domain}}


def made(figures: dict[str, Any], verdict: str | None = None) -> dict[str, Any]:
    return {"figures": figures, "verdict": verdict, "seconds": {"training": 12.4, "evaluating": 7.6}}


ROWS: Rows = {
    (FIRST_STAGE, 2): made(figures({"red": 10, "green": 20}, 400)),
    (KEPT, 1): made(figures({"red": 1000}, 396), "pass"),
    (KEPT, 2): made(figures({"red": 990, "green": 1000}, 392), "pass"),
    (NAIVE, 1): made(figures({"red": 1000}, 396), "pass"),
    (NAIVE, 2): made(figures({"red": 450, "green": 1000}, 360, 1.6)),
    (AT_ONCE, 2): made(figures({"red": 1000, "green": 1000}, 384, None), "inconclusive"),
}


def test_the_page_says_what_each_way_came_to() -> None:
    text = document([(CLASSES, ROWS)], ["`0123456789ab`"])
    assert "at commit `0123456789ab`" in text.splitlines()[2]
    lowest = "0.9817 (red): yes | 0.4194 (red): **no** | 0.9962 (red): yes"
    assert f"| UA of every concept after every request, lower bound >= 0.97 | {lowest} |" in text
    _, drop, ratio = targets(CLASSES, ROWS)
    assert [cell.partition(" ")[0] for cell in drop[1:]] == ["+0.0200", "+0.1000", "+0.0400"]
    assert [cell.rpartition(": ")[2] for cell in drop[1:]] == ["yes", "**no**", "yes"]
    assert ratio[1:] == ("1.20 [1.10, 1.30]: yes", "1.60 [1.50, 1.70]: **no**", "too few images")
    assert "| naive | 2 | green | 1.0000 [0.9962, 1.0000] | 0.4500 [0.4194, 0.4810] red | +0.1000 [" in text
    assert "| red | 1.0000 [0.9962, 1.0000] | 0.4500 [0.4194, 0.4810] |" in text
    assert "| green |  | 1.0000 [0.9962, 1.0000] |" in text
    assert "| pass | 12 | 8 |" in text
    assert "Not finished" not in text
    assert summed_up([(CLASSES, ROWS)]).startswith("tiny kept: lowest UA 0.9817 (red): yes; tiny naive")


def test_of_a_way_that_is_not_finished_nothing_is_said() -> None:
    rows = {name: row for name, row in ROWS.items() if name != (NAIVE, 2)}
    for row in targets(CLASSES, rows):
        assert row[2] == "not finished"
        assert row[1] != "not finished"
    without_first = {name: row for name, row in ROWS.items() if name != (FIRST_STAGE, 2)}
    assert "Not finished: the first stage." in document([(CLASSES, without_first)], [])
    assert summed_up([(CLASSES, {})]) == "nothing is finished"


def test_the_picture_has_a_chart_a_concept_with_kept_beside_naive() -> None:
    drawn = picture(CLASSES, ROWS)
    assert drawn.count("<svg ") == 1 + 2
    assert drawn.count("<circle") == 2 * 2 + 2 * 1
    assert ">red</text>" in drawn
    assert re.search(r">naive: 45\.0.%</text>", drawn)
    assert picture(CLASSES, {}) == ""


@pytest.mark.parametrize("name", SERIES)
def test_the_requests_can_all_be_made_and_the_judges_tell_each_pair_apart(name: str) -> None:
    model, series = bundled(name), SERIES[name]
    check_told_apart(model, series.requests)
    n = len(series.requests)
    assert n == {"fashion": 6, "emoji": 10}[name]
    shown = {override for _, override in series.requests}
    assert not shown & {concept for concept, _ in series.requests}, "what is shown instead must remain to the end"
    for k in range(1, n + 1):
        admit(series.body(range(k - 1, -1, -1), first=k == 1), model)
    if name == "emoji":
        assert {model.domain_of(concept) for concept, _ in series.requests} == {"object", "style"}


def test_a_pair_that_the_judge_confuses_is_refused() -> None:
    with pytest.raises(SystemExit, match="the judge confuses Shirt and Coat on real images"):
        check_told_apart(bundled("fashion"), [("Shirt", "Coat")])


def test_sizes_that_are_given_take_the_place_of_a_series_own() -> None:
    series = SERIES["fashion"]
    assert series.with_sizes(MANY) == series
    small = series.with_sizes(MANY | {"requests": 2, "later": 64})
    assert (len(small.requests), small.images, small.later) == (2, series.images, 64)
    assert series.with_sizes({"requests": 10}).requests == series.requests
