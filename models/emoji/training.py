"""What the trainings of the autoencoder and of the teacher share: a step with its moving average, a checkpoint that a
stopped run goes on from, a log."""

import json
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def warm_cosine(step: int, steps: int, warmup: int, peak: float) -> float:
    """Return the learning rate of a step: a linear warm-up to ``peak``, then a cosine to zero."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return 0.5 * peak * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


class Training:
    """A network in training and its moving average. ``rng``: what the batches are drawn from; ``step``: how many steps
    are done, also by the run that this one goes on from (in ``work``)."""

    def __init__(
        self, network: nn.Module, average: nn.Module, decay: float, rng: torch.Generator, work: Path, log: Path
    ) -> None:
        self.network, self.average, self.decay, self.rng = network, average, decay, rng
        self.checkpoint, self.log = work / "checkpoint.pt", log
        self.step = 0
        average.load_state_dict(network.state_dict())
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, weight_decay=0.0)
        work.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True)
            network.load_state_dict(state["network"])
            average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            rng.set_state(state["rng"])
            self.step = state["step"]

    def take(self, loss: Tensor, learning_rate: float) -> None:
        """Take one step down ``loss``."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0, error_if_nonfinite=True)
        self.optimizer.step()
        decay = min(self.decay, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, weight in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(weight, 1 - decay)
        self.step += 1

    def keep(self, **figures: Any) -> None:
        """Write a line of the log and a checkpoint, in the place of the one before."""
        with self.log.open("a") as log:
            log.write(json.dumps({"step": self.step, **figures}) + "\n")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "step": self.step,
        }
        torch.save(state, self.checkpoint.with_suffix(".new"))
        os.replace(self.checkpoint.with_suffix(".new"), self.checkpoint)
