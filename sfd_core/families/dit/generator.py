"""The one-step generator of a diffusion transformer: a folder of :class:`ClassConditionalDiTPipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import DiTTransformer2DModel
from torch import Tensor

from sfd_core.families.autoencoder import Autoencoder
from sfd_core.families.class_generator import ClassPipelineGenerator, labels_of, read_class_index
from sfd_core.families.dit.loading import LoadedDit, load_parts
from sfd_core.families.dit.pipeline import ClassConditionalDiTPipeline
from sfd_core.families.one_step import last_step, load_one_step_scheduler
from sfd_core.families.sampling import Images


class DitGenerator(ClassPipelineGenerator):
    """Images from one evaluation of a transformer each."""

    def __init__(
        self, network: DiTTransformer2DModel, autoencoder: Autoencoder, scheduler: Any, id2label: dict[str, str]
    ) -> None:
        pipe = ClassConditionalDiTPipeline(network, autoencoder.vae, scheduler, id2label)
        super().__init__(pipe, network, last_step(scheduler))
        self.autoencoder = autoencoder

    @classmethod
    def of(cls, network: DiTTransformer2DModel, base: LoadedDit, start: float) -> DitGenerator:
        """Make a generator around a network in memory; the network and the autoencoder of ``base`` are shared, not
        copied."""
        scheduler = base.schedule.one_step_scheduler(start)
        return cls(network, base.autoencoder, scheduler, labels_of(base.model.concepts))

    def images(self, noise: Tensor, labels: Tensor) -> Images:
        return self.autoencoder.pictures(self.pipe.denoise(noise, labels, output_type="latent").images)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> DitGenerator:
        """Open a folder that :meth:`save` wrote. Its ``pipeline.py`` is not executed.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """
        id2label = read_class_index(folder, ClassConditionalDiTPipeline.__name__)["id2label"]
        scheduler = load_one_step_scheduler(folder)
        network, autoencoder = load_parts(folder, len(id2label))
        return cls(network.to(device), autoencoder.to(device), scheduler, id2label)
