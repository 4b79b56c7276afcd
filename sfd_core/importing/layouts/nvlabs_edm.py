"""Networks of NVlabs/edm and of what was built on it: a preconditioned network at ``ema`` of a dict
(``network-snapshot-*.pkl``), each module pickled with the source of its class beside it. The source is never run, nor
read. A state dict of such a network is taken too, alone or at the same names.

Read are class-conditional ``SongUNet`` in the form ``ddpmpp``, under ``EDMPrecond``: weights keep their names. What a
configuration says is found by names and shapes; what neither shows is held against the blocks' own attributes.

SiD (arXiv 2404.04057) saves its one-step generators in the same way, so a snapshot may be either; its
``training-state-*.pt`` has ``G``, ``G_ema`` and ``fake_score``.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import torch
from torch import Tensor

from sfd_core.base_model.config_checks import shown
from sfd_core.errors import ModelRefused
from sfd_core.importing.inert import Record
from sfd_core.importing.layout import Choices, Found, Layout, Network
from sfd_core.importing.names import BYTES_OF_TEXT, PERSISTENT_CLASS
from sfd_core.importing.state import attributes, class_of, is_state_dict, module_state, modules_of, shape_of, weights_of

MOVING_AVERAGES, LAST, FAKE_SCORE = ("ema", "G_ema"), "G", "fake_score"
T_INIT = 2.5
"""Where the generators of SiD start (``sigma_G`` of ``generate_onestep.py``)."""
NETWORK = "SongUNet"
SIGMA_DATA = 0.5
"""Of every published network."""
_NAMES_ALIKE = ("map_layer0.weight", "map_layer1.weight")
_OF_BLOCKS = {"num_heads": (0, 1), "adaptive_scale": (False,), "skip_scale": (math.sqrt(0.5),)}
"""What blocks are, where no weight shows it."""
MAX_LEVELS, MAX_BLOCKS = 10, 64
_FIRST = re.compile(r"enc\.(\d{1,4})x\1_conv\.weight")


def _plain(name: str) -> str:
    return name.removeprefix("module.").removeprefix("model.")


def _is_network(value: object) -> bool:
    if isinstance(value, Record):
        return value.kind == PERSISTENT_CLASS
    return is_state_dict(value) and set(_NAMES_ALIKE) <= {_plain(name) for name in value}  # type: ignore[attr-defined]


def recognises(found: Any) -> bool:
    """Say whether ``found`` is such a network, or has one at the names of a snapshot or of a training state."""
    values = [found.get(name) for name in (*MOVING_AVERAGES, LAST)] if isinstance(found, dict) else []
    return any(map(_is_network, [found, *values]))


def find(found: Any, what: str, choices: Choices) -> Found:
    """Return the network of a snapshot, or the generator and its fake score that a training state has.

    Raises:
        ModelRefused: saying everything that makes it another network, or naming the weight that is missing.
    """
    if _is_network(found):
        chosen, fake_score = found, None
    else:
        names = (*(MOVING_AVERAGES if choices.moving_average else ()), LAST)
        chosen = next((found[name] for name in names if _is_network(found.get(name))), None)
        fake_score = found[FAKE_SCORE] if _is_network(found.get(FAKE_SCORE)) else None
    if chosen is None:
        raise ModelRefused(f"{what}: has the moving average alone, not the weights as training left them")
    network = _network(chosen, what)
    if fake_score is not None:
        return Found(generator=network, fake_score=_network(fake_score, what), t_init=T_INIT)
    scheduler = _scheduler(chosen, what)
    return Found(base_model=network, scheduler=scheduler, generator=network, t_init=T_INIT, notes=_notes(network))


def _notes(network: Network) -> tuple[str, ...]:
    assert network.config is not None
    size, classes = network.config["sample_size"], network.config["num_class_embeds"]
    return (
        f"{size} x {size} pixels and {classes} classes; the file does not name them (lethe models add --concepts)",
        "the weights of augmentation labels, where there are any, are left out: where images are made these labels are "
        "zeros, which add nothing",
    )


def _scheduler(network: Any, what: str) -> dict[str, Any]:
    """The preconditioning, and the noise levels that NVlabs' own sampler goes over."""
    data = _number(attributes(network).get("sigma_data")) if isinstance(network, Record) else SIGMA_DATA
    if data is None or not 0 < data < math.inf:
        raise ModelRefused(f"{what}: sigma_data is {shown(data)}, must be a finite number above 0")
    return {
        "_class_name": "EDMEulerScheduler",
        "sigma_min": 0.002,
        "sigma_max": 80.0,
        "sigma_data": data,
        "sigma_schedule": "karras",
        "rho": 7.0,
        "prediction_type": "epsilon",
    }


def _network(value: Any, what: str) -> Network:
    faults = _other_modules(value, what) if isinstance(value, Record) else []
    saved = module_state(value, what) if isinstance(value, Record) else value
    weights = {_plain(name): weight.float() for name, weight in weights_of(saved, what).items()}
    faults += _other_weights(weights)
    if faults:
        raise ModelRefused(
            f"{what}: {'; '.join(faults)}. Of NVlabs/edm, class-conditional networks of the architecture ddpmpp under "
            "EDMPrecond are read; nothing of the file was run"
        )
    config = _config(weights, what)
    left_out = {name for name in weights if name.endswith(".resample_filter")} | {"map_augment.weight"}
    return Network(config, {name: weight for name, weight in weights.items() if name not in left_out})


def _other_modules(network: Record, what: str) -> list[str]:
    """How the modules of a network say that it is another."""
    faults = []
    inner = (attributes(network).get("_modules") or {}).get("model")
    named = class_of(inner) if isinstance(inner, Record) else "nothing"
    if (class_of(network), named) != ("EDMPrecond", NETWORK):
        faults.append(f"it is {class_of(network)!a} around {named!a}, must be 'EDMPrecond' around {NETWORK!a}")
    for _, module in modules_of(network, what):
        for name, right in _OF_BLOCKS.items() if class_of(module) == "UNetBlock" else ():
            value = _number(attributes(module).get(name))
            if value is None or not any(math.isclose(value, each, rel_tol=1e-6) for each in right):
                faults.append(f"{name} of a block is {shown(value)}, must be {' or '.join(map(str, right))}")
    return list(dict.fromkeys(faults))


def _other_weights(weights: dict[str, Tensor]) -> list[str]:
    """How the names of weights, and its filters, say that a network is another."""
    means = torch.full((1, 1, 2, 2), 0.25)
    filters = [weight for name, weight in weights.items() if name.endswith(".resample_filter")]
    has = {
        "its decoder ends in out_conv, as that of a DhariwalUNet (adm)": "out_conv.weight" in weights,
        "it embeds noise by random frequencies (ncsnpp)": "map_noise.freqs" in weights,
        "its encoder or decoder carries the image along (ncsnpp)": any(
            re.search(r"_aux_(down|skip|residual|up)\.", name) for name in weights
        ),
        "it resamples by another filter than means of 2 x 2 (ncsnpp)": any(
            each.shape != means.shape or not torch.equal(each, means) for each in filters
        ),
        "it knows no classes (no map_label): those with classes are unlearned from": "map_label.weight" not in weights,
    }
    return [fault for fault, so in has.items() if so]


def _config(weights: dict[str, Tensor], what: str) -> dict[str, Any]:
    """The configuration, by names and shapes; that all weights fit it is seen where they are loaded."""
    sizes = [int(match[1]) for name in weights if (match := _FIRST.fullmatch(name))]
    if len(sizes) != 1:
        raise ModelRefused(f"{what}: has {len(sizes)} weights named as enc.32x32_conv.weight is, must have one")
    edges = [sizes[0]]
    while len(edges) < MAX_LEVELS and f"enc.{_square(edges[-1] // 2)}_block0.conv1.weight" in weights:
        edges.append(edges[-1] // 2)
    first = shape_of(weights, f"enc.{_square(edges[0])}_conv.weight", 4, what)
    wide = [shape_of(weights, f"enc.{_square(edge)}_block0.conv1.weight", 4, what)[0] for edge in edges]
    embedding, label = (shape_of(weights, f"{name}.weight", 2, what) for name in ("map_layer0", "map_label"))
    blocks = 0
    while blocks < MAX_BLOCKS and f"enc.{_square(edges[0])}_block{blocks}.conv1.weight" in weights:
        blocks += 1
    channels = max(first[0], 1)
    return {
        "_class_name": NETWORK,
        "sample_size": edges[0],
        "in_channels": first[1],
        "out_channels": shape_of(weights, f"dec.{_square(edges[0])}_aux_conv.weight", 4, what)[0],
        "num_class_embeds": label[1],
        "model_channels": channels,
        "channel_mult": [width // channels for width in wide],
        "channel_mult_emb": embedding[0] // channels,
        "num_blocks": blocks,
        "attn_resolutions": [edge for edge in edges if f"enc.{_square(edge)}_block0.qkv.weight" in weights],
    }


def _square(edge: int) -> str:
    return f"{edge}x{edge}"


def _number(value: object) -> float | None:
    """A number, or numpy's as a pickle describes one: its type and its bytes."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Record) and value.kind.endswith(".multiarray.scalar") and len(value.arguments) == 2:
        kind, data = value.arguments[0], _bytes(value.arguments[1])
        if isinstance(kind, Record) and kind.arguments[:1] == ("f8",) and len(data) == 8:
            return float(struct.unpack("<d", data)[0])
    return None


def _bytes(value: object) -> bytes:
    """Bytes as a pickle describes them; none where it describes something else."""
    if isinstance(value, Record) and value.kind == BYTES_OF_TEXT and value.arguments[1:] == ("latin1",):
        text = value.arguments[0]
        return text.encode("latin1", "ignore") if isinstance(text, str) else b""
    return bytes(value) if isinstance(value, memoryview) else b""


LAYOUT = Layout(
    "networks of NVlabs/edm",
    "a dict with a network at ema, pickled with the source of its class (network-snapshot .pkl), or its state dict",
    recognises,
    find,
)
