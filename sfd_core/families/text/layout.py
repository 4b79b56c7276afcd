"""The folder of a stock text-to-image pipeline, and what it says of itself. Plain: importing this does not import
torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any, TypeVar

from sfd_core.base_model.config_checks import Checked, check_all
from sfd_core.base_model.configs import check_class, read_config
from sfd_core.base_model.layout import INDEX, SCHEDULER, pipeline_fits
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.errors import ModelRefused
from sfd_core.families.autoencoder_config import SCALED, AutoencoderKind, picture_of
from sfd_core.families.scheduler_config import read_scheduler
from sfd_core.families.text.tokens import TokenizerKind

_WEIGHTS = {"diffusers": "diffusion_pytorch_model.safetensors", "transformers": "model.safetensors"}
"""The file of a network's weights, by the library that its class is of."""


L = TypeVar("L", bound="PipelineLayout")


@dataclass(frozen=True)
class PipelineLayout:
    """The folder of a stock pipeline over latents.

    ``pipeline``: its class. ``network``: the subfolder of the network that is trained. ``parts``: by subfolder, library
    and class of every network. ``tokenizers``: by subfolder, the kind of each tokenizer, in the order in which a
    network is given what is read by them. ``checks``: of the parts' configurations, each refused by itself.
    ``together``: refuses configurations that do not fit each other. ``scheduler``: refuses that of a scheduler.
    ``autoencoder``: what kind of one ``vae`` is. ``without``: parts that the pipeline can do without and this folder
    has not. ``side``: how many latents a picture has along an edge, where the network's configuration does not say it.
    ``guides_itself``: whether the network of a folder takes the strength of guidance as a number, and so is never
    guided away from anything.
    """

    pipeline: str
    network: str
    parts: Mapping[str, tuple[str, str]]
    tokenizers: Mapping[str, TokenizerKind]
    checks: Sequence[Callable[[Path], object]]
    together: Callable[[Path], object]
    scheduler: Callable[[Path], object] = read_scheduler
    autoencoder: AutoencoderKind = SCALED
    without: Sequence[str] = ()
    side: int | None = None
    guides_itself: Callable[[Path], bool] = lambda folder: False

    @property
    def folders(self) -> tuple[str, ...]:
        """Every subfolder that makes an image."""
        return (*self.parts, *self.tokenizers, Path(SCHEDULER).parent.name)

    @property
    def configs(self) -> tuple[str, ...]:
        """The files that say what the model is."""
        return (INDEX, SCHEDULER, *(f"{part}/config.json" for part in self.parts))

    @property
    def weights(self) -> tuple[str, ...]:
        """The files of weights."""
        return tuple(f"{part}/{_WEIGHTS[library]}" for part, (library, _) in self.parts.items())

    def check(self, folder: Path) -> None:
        """Check every configuration of a pipeline's folder.

        Raises:
            ModelRefused: naming every file and field that is wrong.
        """
        checks = (self.check_index, self.scheduler, self.check_classes, self.autoencoder.check, *self.checks)
        check_all(*(partial(check, folder) for check in checks))
        self.together(folder)

    def fits(self, folder: Path) -> bool:
        """Say whether ``folder`` has such a pipeline."""
        return pipeline_fits(folder, self.pipeline, self.without)

    def check_index(self, folder: Path) -> dict[str, Any]:
        """Read the folder's ``model_index.json``, if it is that of this pipeline.

        Raises:
            ModelRefused: for another pipeline, and for each part that is not the stock one, a scheduler of another
                class than its own configuration names among them.
        """
        path = folder / INDEX
        index = read_config(path)
        if index.get("_class_name") != self.pipeline:
            raise ModelRefused(f"{path}: _class_name is {index.get('_class_name')!r}, must be {self.pipeline!r}")
        checked = Checked(index)
        for part, stock in self.parts.items():
            checked.value(part, partial(eq, list(stock)), f"be {list(stock)}", None)
        for part, kind in self.tokenizers.items():
            known = [["transformers", name] for name in kind.names]
            checked.value(part, known.__contains__, f"be a {kind.names[0]}", None)
        # Stock diffusers goes by the index, and takes what is missing in the other file from that class.
        scheduler = ["diffusers", read_config(folder / SCHEDULER).get("_class_name")]
        if index.get("scheduler") != scheduler:
            checked.faults.append(f"scheduler is {index.get('scheduler')}, {SCHEDULER} says {scheduler}")
        checked.refuse(path)
        return index

    def check_classes(self, folder: Path) -> None:
        """Check of which class each part's own configuration says that it is.

        Raises:
            ModelRefused: naming each file that says another, or that its weights are quantized.
        """
        check_all(*(partial(check_class, folder / part, *stock) for part, stock in self.parts.items()))

    def image(self, folder: Path) -> ImageFormat:
        """Return what the pipeline of a folder makes whose configurations were checked.

        Raises:
            ModelRefused: for pictures that are too large.
        """
        config = read_config(folder / self.network / "config.json")
        latents: Any = config.get("sample_size", self.side)
        return picture_of(folder, latents, self.autoencoder)


def fitting(layouts: Sequence[L], folder: Path) -> L:
    """Return the first of ``layouts`` whose pipeline is that of ``folder``.

    Raises:
        ModelRefused: for a pipeline of none.
    """
    for layout in layouts:
        if layout.fits(folder):
            return layout
    path, known = folder / INDEX, dict.fromkeys(layout.pipeline for layout in layouts)
    found = read_config(path).get("_class_name")
    raise ModelRefused(f"{path}: _class_name is {found!r}, must be {' or '.join(map(repr, known))}")
