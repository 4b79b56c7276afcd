"""The schedulers of diffusers that SFD has a formula for: those whose forward process is a discrete variance-preserving
one, ``alpha_bar`` the plain product of ``1 - beta``. Plain: importing this does not import diffusers, so that a
scheduler is refused before anything of its model is fetched or loaded.

The defaults are those of the classes' own signatures; ``tests/unit/families/test_stock_schedulers.py`` holds them
against the installed diffusers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STEPS = 1000
PREDICTION_TYPE = "epsilon"
"""What every class takes for a missing ``num_train_timesteps`` and ``prediction_type``."""


@dataclass(frozen=True)
class StockScheduler:
    """A class of scheduler, by what it makes of its configuration's fields.

    ``beta_start``, ``beta_end``, ``beta_schedule``: its defaults. ``schedules``: the names of ``beta_schedule`` that it
    knows. ``rescales``: whether it knows ``rescale_betas_zero_snr``. ``last_alpha_bar``: what it then has for the last
    step, at which the rescaled betas leave 0.
    """

    beta_start: float = 0.0001
    beta_end: float = 0.02
    beta_schedule: str = "linear"
    schedules: tuple[str, ...] = ("linear", "scaled_linear", "squaredcos_cap_v2")
    rescales: bool = False
    last_alpha_bar: float = 0.0


_KNOWN_TO_ALL = StockScheduler.schedules
_OF_DDPM = (*_KNOWN_TO_ALL, "laplace", "sigmoid")
_ALMOST_NOTHING = 2.0**-24
"""A sampler over sigmas cannot start at infinity."""

STOCK_SCHEDULERS: Mapping[str, StockScheduler] = {
    "DDPMScheduler": StockScheduler(schedules=_OF_DDPM, rescales=True),
    "DDPMParallelScheduler": StockScheduler(schedules=_OF_DDPM, rescales=True),
    "DDIMScheduler": StockScheduler(rescales=True),
    "DDIMParallelScheduler": StockScheduler(rescales=True),
    "DDIMInverseScheduler": StockScheduler(rescales=True),
    "PNDMScheduler": StockScheduler(),
    "LCMScheduler": StockScheduler(0.00085, 0.012, "scaled_linear", rescales=True),
    "TCDScheduler": StockScheduler(0.00085, 0.012, "scaled_linear", rescales=True),
    "EulerDiscreteScheduler": StockScheduler(rescales=True, last_alpha_bar=_ALMOST_NOTHING),
    "EulerAncestralDiscreteScheduler": StockScheduler(rescales=True, last_alpha_bar=_ALMOST_NOTHING),
    "HeunDiscreteScheduler": StockScheduler(0.00085, 0.012, schedules=(*_KNOWN_TO_ALL, "exp")),
    "LMSDiscreteScheduler": StockScheduler(),
    "KDPM2DiscreteScheduler": StockScheduler(0.00085, 0.012),
    "KDPM2AncestralDiscreteScheduler": StockScheduler(0.00085, 0.012),
    "DPMSolverMultistepScheduler": StockScheduler(rescales=True, last_alpha_bar=_ALMOST_NOTHING),
    "DPMSolverMultistepInverseScheduler": StockScheduler(),
    "DPMSolverSinglestepScheduler": StockScheduler(),
    "DPMSolverSDEScheduler": StockScheduler(0.00085, 0.012),
    "UniPCMultistepScheduler": StockScheduler(rescales=True, last_alpha_bar=_ALMOST_NOTHING),
    "DEISMultistepScheduler": StockScheduler(),
    "SASolverScheduler": StockScheduler(),
}

_OTHER_KINDS: Mapping[str, str] = {
    "EDM": "an EDM scheduler",
    "CosineDPMSolver": "an EDM scheduler",
    "FlowMatch": "a flow-matching scheduler",
    "FlowMap": "a flow-matching scheduler",
    "VQDiffusion": "a scheduler over tokens",
    "ScoreSde": "a variance-exploding scheduler",
    "KarrasVe": "a variance-exploding scheduler",
    "CMStochasticIterative": "a consistency scheduler",
    "ConsistencyDecoder": "a consistency scheduler",
    "SCM": "a consistency scheduler",
    "CogVideoX": "a scheduler that shifts its signal-to-noise ratio",
}
"""What those are that a model is likely to come with, by the beginning of their name."""


def kind_without_formula(name: str) -> str:
    """Say what scheduler the class ``name`` is, which is none of :data:`STOCK_SCHEDULERS`."""
    return next((kind for start, kind in _OTHER_KINDS.items() if name.startswith(start)), "unknown here")
