"""Networks of NVlabs/edm and of what was built on it (``network-snapshot-*.pkl``): a dict with a preconditioned network
at ``ema``, each module pickled with the source of its class beside it. The source is never run, nor read.

They are recognised so that their refusal can say why. No network of diffusers draws what ``SongUNet`` (``ddpmpp``)
does:

- every residual block and every attention is scaled by ``1/sqrt(2)`` after its sum; ``UNet2DModel`` scales none but the
  middle's, and the scale cannot go into the weights, since skips are joined at two scales before a group norm;
- the class is added to the embedding of the noise before the perceptron, so that its silu sees both; ``UNet2DModel``
  adds a class after it. The augmentation's label goes the same way;
- the decoder attends in the last block of a level alone; ``UNet2DModel`` attends in every one of a level or in none.
"""

from __future__ import annotations

from typing import Any

from sfd_core.errors import ModelRefused
from sfd_core.importing.inert import Record
from sfd_core.importing.layout import Choices, Found, Layout
from sfd_core.importing.names import PERSISTENT_CLASS
from sfd_core.importing.state import attributes, class_of


def recognises(found: Any) -> bool:
    """Say whether ``found`` has a network at ``ema`` that was pickled with its source."""
    ema = found.get("ema") if isinstance(found, dict) else None
    return isinstance(ema, Record) and ema.kind == PERSISTENT_CLASS


def find(found: Any, what: str, choices: Choices) -> Found:
    """Refuse it, saying what it is and what differs.

    Raises:
        ModelRefused: always.
    """
    network = found["ema"]
    modules = attributes(network).get("_modules")
    inner = modules.get("model") if isinstance(modules, dict) else None
    name = class_of(inner) if isinstance(inner, Record) else "?"
    raise ModelRefused(
        f"{what}: {class_of(network)!a} around {name!a}, as NVlabs/edm saves it. It was read, its code was not run, "
        "but no network here draws what this one does: its blocks are scaled by 1/sqrt(2) and its class enters before "
        "the embedding's perceptron, which UNet2DModel of diffusers has no place for. Networks in EDM preconditioning "
        "are taken as a UNet2DModel with an EDMEulerScheduler"
    )


LAYOUT = Layout(
    "networks of NVlabs/edm",
    "a dict with a network at ema, pickled with the source of its class (network-snapshot .pkl)",
    recognises,
    find,
)
