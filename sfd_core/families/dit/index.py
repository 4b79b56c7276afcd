"""What the folder of a ``DiTPipeline`` says of itself. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import Checked, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import INDEX, SCHEDULER

PIPELINE = "DiTPipeline"
_TRANSFORMERS = (["diffusers", "DiTTransformer2DModel"], ["diffusers", "Transformer2DModel"])
"""The stock network, and what it was called when DiT was published."""
_AUTOENCODER = ["diffusers", "AutoencoderKL"]


def check_index(folder: Path, concepts: Sequence[str] | None = None) -> None:
    """Check the folder's ``model_index.json``: a stock pipeline, which calls its classes as ``concepts`` does, if there
    are any yet.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / INDEX
    checked = Checked(read_config(path))
    checked.value("_class_name", lambda v: v == PIPELINE, f"be {PIPELINE!r}")
    checked.value("transformer", _TRANSFORMERS.__contains__, f"be {_TRANSFORMERS[0]}")
    checked.value("vae", lambda v: v == _AUTOENCODER, f"be {_AUTOENCODER}")
    # Stock diffusers goes by the index, and takes what is missing in the other file from that class.
    scheduler = ["diffusers", read_config(folder / SCHEDULER).get("_class_name")]
    checked.value("scheduler", lambda v: v == scheduler, f"be {scheduler}, as {SCHEDULER} says")
    id2label = checked.value(
        "id2label",
        lambda v: v is None or (isinstance(v, dict) and all(isinstance(name, str) for name in v.values())),
        "be null or an object of the names of classes",
        None,
    )
    if isinstance(id2label, dict) and concepts is not None and not checked.faults:
        checked.faults += _misnamed(id2label, concepts)
    checked.refuse(path)


def _misnamed(id2label: dict[str, Any], concepts: Sequence[str]) -> list[str]:
    """What in ``id2label`` is not as the manifest has it. Several classes may have one name there (ImageNet has two
    cranes), which a manifest tells apart by words in parentheses."""
    known = {str(label) for label in range(len(concepts))}
    if set(id2label) != known:
        other = sorted(set(id2label) ^ known)
        return [
            f"id2label must name the classes 0 to {len(concepts) - 1}, one a concept of the manifest: "
            f"{shown(other)} {'are' if len(other) > 1 else 'is'} in one of the two alone"
        ]
    return [
        f"id2label calls class {label} {shown(id2label[str(label)])}, the manifest's concept is {concept!r}"
        for label, concept in enumerate(concepts)
        if not _is_one_of(concept, id2label[str(label)])
    ]


def _is_one_of(concept: str, names: str) -> bool:
    """Whether ``concept`` is a name of a class, or one with words in parentheses behind it. ``names``: separated by
    commas, as ``DiTPipeline`` looks them up."""
    known = {names.strip(), *(name.strip() for name in names.split(","))}
    return concept in known or (concept.endswith(")") and concept.partition(" (")[0] in known)
