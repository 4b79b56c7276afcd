"""What is left of a job, by a clock that the test moves: near the truth however wrong the forecast, without a jump."""

from __future__ import annotations

from itertools import pairwise

import pytest

from jobs.forecast import Forecast, Known, Observation
from jobs.states import Phase
from jobs.work import Work
from worker.outlook import Left, Outlook

STEP = 0.5
"""Seconds between two looks."""
PREPARING, TRAINING, JUDGING, PROBING, PUBLISHING = 5.0, 200.0, 60.0, 90.0, 2.0
IMAGES = 6400
WORK = Work(IMAGES, None, "budget", 13.0, 6500, 1, ("relearning",), 1_848_996, 0, 196.0, 20)


def known(off: float) -> Known:
    """A job that took ``off`` times what this one will take."""
    seconds = {"preparing": PREPARING, "training": TRAINING, "evaluating": JUDGING, "probing": PROBING}
    took = {part: off * value for part, value in {**seconds, "publishing": PUBLISHING}.items()}
    return Known("CPU", 1, "this_base_model", (Observation(WORK, "CPU", 1, IMAGES, False, took, 10**7),))


def run(forecast: Forecast, passes_at: float = 1.0) -> list[tuple[float, Left]]:
    """A job as its worker sees it, looked at every half second; what was said, with what was truly left."""
    now = 0.0
    outlook = Outlook(forecast, lambda: now)
    whole = PREPARING + passes_at * TRAINING + JUDGING + PROBING + PUBLISHING
    said = []

    def look(seconds: float) -> None:
        nonlocal now
        until = now + seconds
        while now < until:
            said.append((whole - now, outlook.left()))
            now = min(until, now + STEP)

    def work(seconds: float, of: int, tell: object, share: float = 1.0) -> None:
        pieces = 40
        for piece in range(1, pieces + 1):
            look(share * seconds / pieces)
            assert callable(tell)
            tell(round(share * of * piece / pieces), of)

    look(PREPARING)
    outlook.enter(Phase.TRAINING)
    trained = now
    work(TRAINING, IMAGES, lambda done, of: outlook.trained(done, now - trained), passes_at)
    outlook.enter(Phase.EVALUATING)
    work(JUDGING, 6500, outlook.judged)
    work(PROBING, 96, outlook.judged)
    outlook.enter(Phase.PUBLISHING)
    look(PUBLISHING)
    return said


@pytest.mark.parametrize("off", [0.1, 0.5, 1.0, 2.0, 10.0])
def test_it_is_near_the_truth_and_does_not_jump(off: float) -> None:
    said = run(Forecast.of(WORK, known(off)))
    assert [left.share for _, left in said] == sorted(left.share for _, left in said)
    for (_, earlier), (_, later) in pairwise(said):
        assert later.seconds <= earlier.seconds + 12 * STEP, "from 0 to 5106 it rises in no half second"
    for truth, left in said[len(said) // 2 :]:
        assert left.seconds == pytest.approx(truth, abs=0.4 * truth + 25)
    if off == 1.0:
        assert all(left.seconds == pytest.approx(truth, rel=0.1, abs=8) for truth, left in said)
        assert said[-1][1].share > 0.98


def test_a_run_that_passes_early_falls_without_a_jump() -> None:
    work = WORK.__class__(**{**WORK.to_json(), "until": "pass", "probes": WORK.probes})
    said = run(Forecast.of(work, known(1.0)), passes_at=0.3)
    for (_, earlier), (_, later) in pairwise(said):
        assert earlier.seconds - later.seconds < 0.1 * earlier.seconds + 3
    assert said[-1][1].seconds < 5


def test_control_the_run_s_own_time_jumps() -> None:
    """What was told before: each phase's own time, which ends at 0 where the next begins."""
    raw = [0.0, PROBING + JUDGING]
    with pytest.raises(AssertionError):
        assert raw[1] <= raw[0] + 12 * STEP


def test_an_attempt_that_goes_on_counts_what_was_before_it() -> None:
    now = 0.0
    outlook = Outlook(Forecast.of(WORK, known(1.0)), lambda: now)
    outlook.enter(Phase.TRAINING)
    now = 1.0
    outlook.trained(IMAGES // 2, TRAINING / 2)
    left = outlook.left()
    assert left.share > 0.25
    assert left.seconds == pytest.approx(TRAINING / 2 + JUDGING + PROBING + PUBLISHING, rel=0.2)


def test_a_limit_of_seconds_is_a_limit() -> None:
    now = 0.0
    work = WORK.__class__(**{**WORK.to_json(), "limit_seconds": 20.0, "probes": ()})
    outlook = Outlook(Forecast.of(work, known(1.0)), lambda: now)
    outlook.enter(Phase.TRAINING)
    outlook.trained(64, 15.0)
    assert outlook.left().seconds == pytest.approx(5 + JUDGING + PUBLISHING, rel=0.2)
