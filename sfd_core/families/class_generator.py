"""One-step generators of classes, of whichever network: sample and save as a diffusers folder.

``x = f_theta(b_tinit z, t_init, c)`` is exactly one step of a stock scheduler (docs/adr/0003): of
``EulerDiscreteScheduler`` over the first ``t_init + 1`` betas of the base model, or of ``EDMEulerScheduler`` from the
noise level ``t_init``. Diffusers has no pipeline of classes that makes it (docs/adr/0018), so each family has one of
its own, in one file, which is published beside the weights.

Quick evaluations in training, the report, ``lethe sample`` and the endpoint all sample generators of classes through
this class; text-to-image ones have their own.
"""

from __future__ import annotations

import inspect
import json
import shutil
from abc import abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import INDEX
from sfd_core.base_model.saving import ONE_FILE
from sfd_core.errors import ModelRefused
from sfd_core.families.images import noise_of, noise_shape
from sfd_core.families.sampling import SAMPLE_BATCH, ClassSampler, Images
from sfd_core.families.usage import BESIDE_ITS_WEIGHTS


class ClassPipelineGenerator(ClassSampler):
    """Images of classes from one network evaluation each. ``pipe``: a pipeline with a scheduler that makes one step,
    and the ``labels`` of its concepts by name. ``network``: what it asks, shared, not copied; ``start``: the time at
    which."""

    usage = BESIDE_ITS_WEIGHTS

    def __init__(self, pipe: Any, network: Any, start: float) -> None:
        self.pipe = pipe
        self.start = start
        self.network = network.eval()
        # By label: JSON sorts "10" before "2".
        self.concepts: tuple[str, ...] = tuple(sorted(pipe.labels, key=pipe.labels.__getitem__))

    @abstractmethod
    def images(self, noise: Tensor, labels: Tensor) -> Images:
        """Make an image from each unit noise [n, C, H, W] in the network's space, of each label [n]."""

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> Images:
        """Make one image for each (label, seed): uint8 [n, H, W] or [n, H, W, 3]."""
        batches = [
            self._batch(labels[i : i + SAMPLE_BATCH], seeds[i : i + SAMPLE_BATCH])
            for i in range(0, len(labels), SAMPLE_BATCH)
        ]
        return np.concatenate(batches)

    def _batch(self, labels: Sequence[int], seeds: Sequence[int]) -> Images:
        n = len(labels)
        filled = [*labels, *[labels[-1]] * (SAMPLE_BATCH - n)]
        noise = noise_of([*seeds, *[seeds[-1]] * (SAMPLE_BATCH - n)], noise_shape(self.network))
        return self.images(noise, torch.tensor(filled, device=self.pipe.device))[:n]

    def save(self, folder: Path) -> None:
        """Write a diffusers folder: ``model_index.json``, a folder for each part and the pipeline's own source. A part
        that diffusers has no class for gets its source too."""
        self.pipe.save_pretrained(folder, safe_serialization=True, max_shard_size=ONE_FILE)
        shutil.copyfile(inspect.getfile(type(self.pipe)), folder / "pipeline.py")
        index = read_config(folder / INDEX)
        for name, part in self.pipe.components.items():
            if index[name][0] == type(part).__module__:  # as diffusers names what is no library that it knows
                source = Path(inspect.getfile(type(part)))
                shutil.copyfile(source, folder / name / source.name)
                index[name][0] = source.stem  # as it finds a module beside a part's weights
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def labels_of(concepts: Sequence[str]) -> dict[str, str]:
    """Return the names of the classes as a pipeline's ``model_index.json`` has them, by label."""
    return {str(label): concept for label, concept in enumerate(concepts)}


def read_class_index(folder: Path, pipeline: str) -> dict[str, Any]:
    """Read the ``model_index.json`` of a folder that :meth:`ClassPipelineGenerator.save` wrote. ``pipeline``: its
    class.

    Raises:
        ModelRefused: for another pipeline, or an ``id2label`` that does not name each class.
    """
    index = read_config(folder / INDEX)
    id2label = index.get("id2label")
    if index.get("_class_name") != pipeline or not isinstance(id2label, dict):
        raise ModelRefused(f"{folder}: not the folder of a class-conditional generator")
    if set(id2label) != {str(label) for label in range(len(id2label))} or not _are_names(id2label.values()):
        raise ModelRefused(f"{folder / INDEX}: id2label must name each class from 0 on, all differently")
    return index


def _are_names(names: Collection[object]) -> bool:
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
