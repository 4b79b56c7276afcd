"""How a forecast is made of what jobs took."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest

from jobs.forecast import FIRST_GUESS, Forecast, Known, Observation, Range, images_of, spread
from jobs.work import PARTS, Work

WORK = Work(6400, None, "pass", 13.0, 6500, 1, (), 1_848_996, 0, 196.0, 20)


def seen(work: Work = WORK, factor: float = 1.0, images: int = 3072, passed: bool = True, gpus: int = 1) -> Observation:
    """A job that took ``factor`` times its first guess."""
    guessed = {part: factor * work.guess(part, "CPU", gpus, images) for part in PARTS}
    return Observation(work, "CPU", gpus, images, passed, {**guessed, "checking": 0.0}, 10**7)


def own(*observations: Observation, gpus: int = 1) -> Known:
    return Known("CPU", gpus, "this_base_model", observations)


def test_before_any_job_it_is_a_guess_and_says_so() -> None:
    total = Forecast.of(WORK, Known("CPU", 1)).total()
    assert total.low < total.likely / 9 < total.likely * 9 < total.high * 2
    images = Forecast.of(WORK, Known("CPU", 1)).images
    assert (images.low, images.likely, images.high) == (640, 3200, 6400)


@pytest.mark.parametrize("images", [1, 2])
def test_the_smallest_budget(images: int) -> None:
    for known in (Known("CPU", 1), own(*[seen() for _ in range(3)])):
        forecast = Forecast.of(dataclasses.replace(WORK, images=images), known)
        assert 0 < forecast.parts["training"].likely <= forecast.parts["training"].high < forecast.total().high


def test_what_is_kept_holds_the_pair_that_another_job_can_go_on_from() -> None:
    work = dataclasses.replace(WORK, network=10**9, beside=10**8)
    assert work.guessed_bytes() == pytest.approx(4 * 10**9 + 4 * 10**8 + 2 * 2 * 10**9, rel=0.001)


def test_ranges_hold_nine_of_ten_whatever_the_number_of_jobs() -> None:
    """Jobs whose times are off by a fifth or so, one in twenty of which stood still for ten times as long."""
    random.seed(5)

    def draw() -> float:
        return math.exp(random.gauss(0, 0.2)) * (10 if random.random() < 0.02 else 1)

    for n in (1, 2, 4, 12, 40):
        held, widths = 0, []
        for _ in range(400):
            low, _, high = spread([draw() for _ in range(n)])
            held += low <= draw() <= high
            widths.append(high / low)
        assert held / 400 >= 0.87, n
        assert sorted(widths)[200] < (6 if n == 1 else 4)


def test_what_scales() -> None:
    known = own(*[seen(factor=2.0) for _ in range(8)])
    one = Forecast.of(WORK, known)
    assert one.parts["training"].likely == pytest.approx(2 * WORK.guess("training", "CPU", 1, 3072), rel=0.01)
    more = Forecast.of(dataclasses.replace(WORK, judged=65_000), known)
    assert more.parts["evaluating"].likely > 3 * one.parts["evaluating"].likely
    assert more.parts["training"] == one.parts["training"]
    probed = Forecast.of(dataclasses.replace(WORK, probes=("relearning", "image_to_image")), known)
    assert probed.phases()["evaluating"].likely > one.phases()["evaluating"].likely
    halved = Forecast.of(WORK, own(*known.observations, gpus=2))
    assert halved.parts["training"].likely == pytest.approx(one.parts["training"].likely / 2, rel=0.01)
    assert halved.parts["evaluating"] == one.parts["evaluating"]


def test_other_base_models_and_first_guesses_are_wider() -> None:
    jobs = tuple(seen() for _ in range(6))
    widths = [
        (each := Forecast.of(WORK, known).parts["evaluating"]).high / each.low
        for known in (own(*jobs), Known("CPU", 1, "other_base_models", jobs), Known("CPU", 1))
    ]
    assert widths == sorted(widths)
    assert widths[2] == pytest.approx(math.exp(2 * FIRST_GUESS))


def test_a_job_trains_until_it_passes_or_to_the_end_of_its_budget() -> None:
    passed = own(*[seen(images=n) for n in (3000, 3100, 3200)])
    assert images_of(WORK, passed).likely == pytest.approx(3100)
    assert images_of(WORK, passed).high < 6400
    assert images_of(dataclasses.replace(WORK, until="budget"), passed) == Range(6400, 6400, 6400)
    assert images_of(dataclasses.replace(WORK, images=2000), passed).likely == pytest.approx(2000)
    longer = images_of(WORK, passed, done=3150)
    assert longer.likely == pytest.approx(3200)
    beyond = images_of(WORK, passed, done=5000)
    assert 5000 < beyond.likely < 6400, "nobody has been there"
    used_up = own(*[seen(images=6400, passed=False) for _ in range(3)])
    assert images_of(dataclasses.replace(WORK, images=50_000), used_up).likely == pytest.approx(50_000)


def test_seconds_of_the_budget_end_the_training() -> None:
    known = own(*[seen(factor=3.0) for _ in range(5)])
    limited = Forecast.of(dataclasses.replace(WORK, limit_seconds=10.0), known)
    assert limited.parts["training"].high <= 10.0 < Forecast.of(WORK, known).parts["training"].low
