"""One-step generators of Stable Diffusion as SiD-LSG and the SFD paper's code save them: a ``UNet2DConditionModel``,
pickled whole.

``network-snapshot-*.pkl`` is a dict with it at ``ema``; ``training-state-*.pt`` has ``G``, ``fake_score`` and, where
one was kept, ``G_ema``. Text encoder, tokenizer, autoencoder and scheduler are not in it: the base model has them.
"""

from __future__ import annotations

from typing import Any

from sfd_core.errors import ModelRefused
from sfd_core.importing.inert import Record
from sfd_core.importing.layout import Choices, Found, Layout, Network
from sfd_core.importing.state import class_of, is_state_dict, module_state, weights_of

T_INIT = 625
"""Where they start (``--init_timestep`` of ``generate_onestep.py``)."""
MOVING_AVERAGES, LAST, FAKE_SCORE = ("ema", "G_ema"), "G", "fake_score"
KIND = "UNet2DConditionModel"
_CROSS_ATTENTION = ".attn2.to_k.weight"


def _is_network(value: object) -> bool:
    if isinstance(value, Record):
        return class_of(value) == KIND
    return is_state_dict(value) and any(name.endswith(_CROSS_ATTENTION) for name in value)  # type: ignore[attr-defined]


def recognises(found: Any) -> bool:
    """Say whether ``found`` holds a text-conditional U-Net of diffusers at one of the names of a snapshot."""
    return isinstance(found, dict) and any(_is_network(found.get(name)) for name in (*MOVING_AVERAGES, LAST))


def find(found: Any, what: str, choices: Choices) -> Found:
    """Return the generator of a snapshot, and its fake score if that is there.

    Raises:
        ModelRefused: for a network that is no whole module of torch.
    """
    names = MOVING_AVERAGES if choices.moving_average else ()
    chosen = next((found[name] for name in (*names, LAST) if _is_network(found.get(name))), None)
    if chosen is None:
        raise ModelRefused(f"{what}: has the moving average alone, not the weights as training left them")
    fake_score = found[FAKE_SCORE] if _is_network(found.get(FAKE_SCORE)) else None
    scored = _network(fake_score, what) if fake_score is not None else None
    return Found(generator=_network(chosen, what), fake_score=scored, t_init=T_INIT)


def _network(value: Any, what: str) -> Network:
    return Network(None, weights_of(module_state(value, what) if isinstance(value, Record) else value, what))


LAYOUT = Layout(
    "one-step generators of Stable Diffusion by SiD-LSG and the SFD paper",
    "a dict with a UNet2DConditionModel at ema (network-snapshot .pkl) or at G, G_ema, fake_score (training-state .pt)",
    recognises,
    find,
)
