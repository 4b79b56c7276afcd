"""How much is left of a job: one time over all phases, from the first second to the last, and one share for its bar.

What is left of the phase that runs is told by its own pace, the more the further it is; its beginning, and what comes
after, by the forecast (``jobs.forecast``). What is shown follows that slowly: where the forecast was wrong, the time
that is left grows or falls by and by, and never from nothing to much.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from jobs.forecast import Forecast, images_of
from jobs.states import Phase

PHASES = (Phase.PREPARING, Phase.TRAINING, Phase.EVALUATING, Phase.PUBLISHING)
FORECAST_SECONDS = 10.0
"""Seconds of training by the forecast's pace that count beside those that were seen."""
OVERRUN = 0.1
"""What has taken longer than was forecast is taken to need so much more of what it took."""
FOLLOW_SECONDS, FOLLOW_SHARE = 5.0, 0.1
"""What is shown follows within so many seconds, or within such a share of what is left, whichever is longer."""


@dataclass(frozen=True)
class Left:
    """What is left: seconds until the end of the job, and the share of it that is done, which never falls."""

    seconds: float
    share: float


class Outlook:
    """The outlook of one attempt. ``clock``: seconds, monotonic."""

    def __init__(self, forecast: Forecast, clock: Callable[[], float] = time.monotonic) -> None:
        self.forecast, self.clock = forecast, clock
        self.likely = {phase: each.likely for phase, each in forecast.phases().items()}
        self.phase = Phase.PREPARING
        now = clock()
        self.began = self.phase_began = self.count_began = self.looked_at = now
        self.earlier = 0.0
        """Seconds of training in attempts before this one."""
        self.first_images: int | None = None
        self.images = 0
        self.seconds = 0.0
        self.done, self.of, self.counts = 0, 0, 0
        self.shown: float | None = None
        self.share = 0.0

    def enter(self, phase: Phase) -> None:
        """Take in that another phase has begun."""
        if phase is not self.phase:
            self.phase, self.phase_began = phase, self.clock()
            self.done, self.of, self.count_began = 0, 0, self.phase_began

    def trained(self, images: int, seconds: float) -> None:
        """Take in that the run was trained on so many ``images`` in so many ``seconds``, of all attempts."""
        if self.first_images is None:
            self.first_images = images
            self.earlier = max(0.0, seconds - (self.clock() - self.phase_began))
        self.images, self.seconds = images, seconds

    def judged(self, done: int, of: int) -> None:
        """Take in how far the evaluation is: a count that falls has begun anew, and is then that of the probes."""
        if done < self.done:
            self.count_began = self.clock()
            self.counts += 1
        self.done, self.of = done, of

    def left(self) -> Left:
        """Say what is left now."""
        now = self.clock()
        passed, self.looked_at = now - self.looked_at, now
        seen = self._of_phase(now) + self._later()
        if self.shown is None:
            self.shown = seen
        else:
            within = max(FOLLOW_SECONDS, FOLLOW_SHARE * seen)
            expected = max(0.0, self.shown - passed)
            self.shown = seen + (expected - seen) * math.exp(-passed / within)
        spent = self.earlier + now - self.began
        self.share = max(self.share, spent / max(spent + self.shown, 1e-9))
        return Left(self.shown, self.share)

    def _later(self) -> float:
        return sum(self.likely[phase] for phase in PHASES[PHASES.index(self.phase) + 1 :])

    def _of_phase(self, now: float) -> float:
        lasted = now - self.phase_began
        if self.phase is Phase.TRAINING and self.first_images is not None:
            return self._of_training(lasted)
        if self.phase is Phase.EVALUATING:
            return self._of_evaluation(now)
        return _rest(self.likely[self.phase], lasted)

    def _of_training(self, lasted: float) -> float:
        work, images = self.forecast.work, self.forecast.images.likely
        assert self.first_images is not None
        forecast = max(self.likely[Phase.TRAINING] / max(images, 1.0), 1e-9)
        here = self.images - self.first_images
        an_image = (FORECAST_SECONDS + lasted) / (FORECAST_SECONDS / forecast + here)
        target = images_of(work, self.forecast.known, self.images).likely
        rest = max(0.0, target - self.images) * an_image
        return rest if work.limit_seconds is None else min(rest, max(0.0, work.limit_seconds - self.seconds))

    def _of_evaluation(self, now: float) -> float:
        parts = self.forecast.parts
        probing = parts["probing"].likely if "probing" in parts else 0.0
        counted = now - self.count_began
        if self.counts == 0:
            return self._of_count(parts["evaluating"].likely, counted) + probing
        return self._of_count(probing, counted)

    def _of_count(self, likely: float, counted: float) -> float:
        """What is left of what is counted, which may turn out to be more: the count is believed the further it is."""
        rest = _rest(likely, counted)
        if not self.done or not self.of:
            return rest
        share = min(1.0, self.done / self.of)
        return (1 - share) * rest + share * counted * (1 - share) / share


def _rest(likely: float, lasted: float) -> float:
    return max(likely - lasted, OVERRUN * lasted)
