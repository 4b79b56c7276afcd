"""The strip of a report: the same seeds at 0, 5, 10, 25, 50 and 100 % of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sfd_core.display.pictures import Moment, rows_for
from sfd_core.evaluation.concept_images import seeds_of
from sfd_core.evaluation.domain_parts import domain_parts
from sfd_core.evaluation.in_training import generator_of
from sfd_core.evaluation.questions import by_label, questions_of
from sfd_core.evaluation.subject import ImageSource
from sfd_core.families.protocol import LoadedBase
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.state import TrainingState

SHARES = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
IMAGES = 3
"""Images a concept."""
REMAINING = 4
"""Remaining concepts that are shown beside the forgotten ones."""


class Strip:
    """The same seeds over training: images of the averaged generator when a share of the budget is spent, in the first
    domain where what is forgotten lies in several.

    ``folders``: where this attempt keeps its checkpoints, then those of earlier attempts, or none. The images are kept
    beside the checkpoints, so that a resumed run has the moments of the attempts before.
    """

    def __init__(
        self, base: LoadedBase, request: UnlearningRequest, plan: PromptPlan | None, folders: Sequence[Path]
    ) -> None:
        self.base, self.request, self.folders = base, request, folders
        first, *_ = domain_parts(request, base.model, plan)
        model, self.prompts = questions_of(first.model, first.request, first.plan)
        self.concepts = model.concepts
        self.rows = rows_for(first.request.forget, self.concepts, REMAINING)
        self.taken: dict[float, Moment] = {}
        for folder in reversed(self.folders):
            for path in folder.glob("strip-*.npz"):
                with np.load(path, allow_pickle=False) as kept:
                    moment = Moment(float(kept["share"]), int(kept["seen"]), kept["images"])
                self.taken[moment.share] = moment

    def look(self, state: TrainingState, finished: bool = False) -> None:
        """Take the moments that are due at ``state``."""
        budget = self.request.budget
        share = state.images / budget.images
        if budget.seconds is not None:
            share = max(share, state.seconds / budget.seconds)
        last = max(self.taken, default=-1.0)
        due = [s for s in SHARES if s > last and (s <= share or (finished and s == 1.0))]
        if not due:
            return
        # Steps are coarse: where one step passes several shares at once, the last of them is what was seen.
        images = self._images(state)
        self._keep(Moment(due[-1], state.images, images))

    def moments(self) -> list[Moment]:
        return [self.taken[share] for share in sorted(self.taken)]

    def _images(self, state: TrainingState) -> np.ndarray:
        shown = [self.concepts.index(row.concept) for row in self.rows]
        labels = [label for label in shown for _ in range(IMAGES)]
        seeds = [seed for label in shown for seed in seeds_of(label, IMAGES)]
        made = ImageSource.of_generator(generator_of(state, self.base, self.request.recipe))
        return by_label(made.samplers, self.prompts)(labels, seeds)

    def _keep(self, moment: Moment) -> None:
        self.taken[moment.share] = moment
        if self.folders:
            self.folders[0].mkdir(parents=True, exist_ok=True)
            path = self.folders[0] / f"strip-{round(moment.share * 100):03d}.npz"
            np.savez(path, share=moment.share, seen=moment.seen, images=moment.images)
