"""How much is left of a job: one time over all phases, from the first second to the last, and one share for its bar.

What is left of the phase that runs is told by its own pace, the more the further it is; its beginning, and what comes
after, by the forecast (``jobs.forecast``), longer or shorter as what ran so far was than its own. What is shown follows
that slowly: where the forecast was wrong, the time that is left grows or falls by and by, never from nothing to much.
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
"""Seconds by the forecast's pace that count beside those that were seen."""
OVERRUN = 0.1
"""What has taken longer than was forecast is taken to need so much more of what it took."""
FOLLOW_SECONDS, FOLLOW_SHARE = 1.0, 0.1
"""What is shown follows within so many seconds, or within such a share of what is left, whichever is longer."""


@dataclass(frozen=True)
class Left:
    """The rest of a job: seconds until the end of the job, and the share of it that is done, which never falls."""

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
        self.ran, self.forecast_of_ran = 0.0, 0.0
        """Seconds of what ran before what runs now, and those that were forecast for the same."""
        self.shown: float | None = None
        self.share = 0.0

    def enter(self, phase: Phase) -> None:
        """Take in that another phase has begun."""
        if phase is not self.phase:
            self._take_stock()
            self.phase, self.phase_began = phase, self.clock()
            self.done, self.of, self.count_began = 0, 0, self.phase_began

    def trained(self, images: int, seconds: float) -> None:
        """Take in that the run was trained on so many ``images`` in so many ``seconds``, of all attempts."""
        if self.first_images is None:
            self.first_images, self.count_began = images, self.clock()
            self.earlier = max(0.0, seconds - (self.clock() - self.phase_began))
        self.images, self.seconds = images, seconds

    def judged(self, done: int, of: int) -> None:
        """Take in how far the evaluation is: a count that falls has begun anew, and is then that of the probes."""
        if done < self.done:
            self._take_stock()
            self.count_began = self.clock()
            self.counts += 1
        self.done, self.of = done, of

    def left(self) -> Left:
        """Say what is left now."""
        now = self.clock()
        passed, self.looked_at = now - self.looked_at, now
        seen = self._of_phase(now) + self._later(now)
        if self.shown is None:
            self.shown = seen
        else:
            within = max(FOLLOW_SECONDS, FOLLOW_SHARE * seen)
            expected = max(0.0, self.shown - passed)
            self.shown = seen + (expected - seen) * math.exp(-passed / within)
        spent = self.earlier + now - self.began
        self.share = max(self.share, spent / max(spent + self.shown, 1e-9))
        return Left(self.shown, self.share)

    def _take_stock(self) -> None:
        """Keep how long what ends now took, beside what was forecast."""
        self.ran, self.forecast_of_ran = self._so_far(self.clock())

    def _so_far(self, now: float) -> tuple[float, float]:
        """Seconds that training and evaluation took until now, and those that were forecast for the same work."""
        if self.phase is Phase.TRAINING and self.first_images is not None:
            here = (self.images - self.first_images) * self._forecast_an_image()
            return self.ran + now - self.count_began, self.forecast_of_ran + here
        if self.phase is Phase.EVALUATING and self.of:
            counted = self.done / self.of * self._forecast_of_count()
            return self.ran + now - self.count_began, self.forecast_of_ran + counted
        return self.ran, self.forecast_of_ran

    def _slower(self, now: float) -> float:
        """How many times longer than was forecast everything takes, as it looks."""
        ran, forecast = self._so_far(now)
        return (FORECAST_SECONDS + ran) / (FORECAST_SECONDS + forecast)

    def _later(self, now: float) -> float:
        """What is left of the phases that follow. Only the evaluation is work of the kind that was seen."""
        slower = self._slower(now) if self.phase is Phase.TRAINING else 1.0
        follow = PHASES[PHASES.index(self.phase) + 1 :]
        return sum(self.likely[each] * (slower if each is Phase.EVALUATING else 1.0) for each in follow)

    def _of_phase(self, now: float) -> float:
        lasted = now - self.phase_began
        if self.phase is Phase.TRAINING and self.first_images is not None:
            return self._of_training(now - self.count_began)
        if self.phase is Phase.EVALUATING:
            return self._of_evaluation(now)
        return _rest(self.likely[self.phase], lasted)

    def _of_training(self, lasted: float) -> float:
        assert self.first_images is not None
        work, here = self.forecast.work, self.images - self.first_images
        an_image = (FORECAST_SECONDS + lasted) / (FORECAST_SECONDS / self._forecast_an_image() + here)
        target = images_of(work, self.forecast.known, self.images).likely
        rest = max(0.0, target - self.images) * an_image
        return rest if work.limit_seconds is None else min(rest, max(0.0, work.limit_seconds - self.seconds))

    def _of_evaluation(self, now: float) -> float:
        slower = (FORECAST_SECONDS + self.ran) / (FORECAST_SECONDS + self.forecast_of_ran)
        rest = self._of_count(self._forecast_of_count() * slower, now - self.count_began)
        probes = self.forecast.parts.get("probing") if self.counts == 0 else None
        return rest if probes is None else rest + probes.likely * self._slower(now)

    def _of_count(self, likely: float, counted: float) -> float:
        """What is left of what is counted: as was forecast, or by the count's own pace where that is more. The count
        alone promises too little: there is more to be counted once the images are judged."""
        rest = _rest(likely, counted)
        return max(rest, counted * (self.of - self.done) / self.done) if self.done else rest

    def _forecast_an_image(self) -> float:
        return max(self.likely[Phase.TRAINING] / max(self.forecast.images.likely, 1.0), 1e-9)

    def _forecast_of_count(self) -> float:
        """Seconds that were forecast for what is counted: the images, or the probes."""
        found = self.forecast.parts.get("evaluating" if self.counts == 0 else "probing")
        return 0.0 if found is None else found.likely


def _rest(likely: float, lasted: float) -> float:
    return max(likely - lasted, OVERRUN * lasted)
