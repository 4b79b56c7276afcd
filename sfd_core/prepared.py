"""What a run is made of before its first step: the base model, its evaluators, a plan, and a state that may come from a
checkpoint. The same in every process that trains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from sfd_core.admission import Admitted
from sfd_core.errors import ModelRefused
from sfd_core.evaluation import nsfw
from sfd_core.evaluation.evaluators import Evaluators, GivenWeights
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.registry import family_of
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training import checkpoint
from sfd_core.training.conditions import Judge
from sfd_core.training.loop import follow
from sfd_core.training.ranks import ALONE, Ranks
from sfd_core.training.state import TrainingState, start


@dataclass(frozen=True)
class Checkpoints:
    """The places of checkpoints: where this attempt writes its own, where earlier attempts wrote theirs, and how
    often."""

    folder: Path
    earlier: Sequence[Path] = ()
    every_seconds: float = 10.0

    @property
    def folders(self) -> list[Path]:
        """All of them, this attempt's own first."""
        return [self.folder, *self.earlier]


@dataclass(frozen=True)
class Prepared:
    """A run that can take its next step."""

    request: UnlearningRequest
    base: LoadedBase
    evaluators: Evaluators
    plan: TrainingPlan
    state: TrainingState

    @classmethod
    def of(
        cls,
        admitted: Admitted,
        where: torch.device,
        checkpoints: Checkpoints | None,
        weights: GivenWeights | None = None,
        ranks: Ranks = ALONE,
        pair: Path | None = None,
    ) -> Prepared:
        """Load what was admitted, and the newest checkpoint if there is one. ``ranks``: the processes that do.
        ``pair``: the folder of what the request's parent kept, where it has one.

        Raises:
            ModelRefused: for a base model, or weights of an evaluator, that do not verify or load.
        """
        request = admitted.request
        if request.parent is not None and pair is None:
            name = request.parent.generator
            raise ModelRefused(
                f"the run goes on from {name}, whose fake score the service keeps: it is not at hand here"
            )
        base = load_base(admitted.model, where)
        evaluators = Evaluators.load(base.model, where, weights, nsfw.wanted(request))
        plan = family_of(base.model.family).plan(base, request, admitted.plan, where)
        state = start(base, request.recipe, request.seed, where, ranks, pair)
        if checkpoints is not None:
            checkpoint.restore_newest(state, checkpoints.folders)
        return cls(request, base, evaluators, plan, state)

    @property
    def judge(self) -> Judge | None:
        """What chooses overrides, where the base model ships a judge of images."""
        judge, base = self.evaluators.judge, self.base
        if not isinstance(judge, ImageJudge):
            return None
        start = base.schedule.start(self.request.recipe)
        own_space = family_of(base.model.family).attacked(base.network, base, start)
        return partial(judge.logits_of, network=own_space)


def take_part(
    admitted: Admitted, checkpoints: Checkpoints, where: torch.device, ranks: Ranks, pair: Path | None = None
) -> None:
    """Take the steps of a run that another process leads, which alone looks at images, saves and reports.

    Raises:
        ModelRefused, TrainingDiverged: as :func:`sfd_core.run.unlearn` does there.
    """
    run = Prepared.of(admitted, where, checkpoints, ranks=ranks, pair=pair)
    follow(run.state, run.base, run.request, plan=run.plan, judge=run.judge)
    ranks.leave()
