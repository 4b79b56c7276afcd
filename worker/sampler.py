"""Answers requests for samples, with the generators it has used lately kept in memory."""

from __future__ import annotations

import logging
import tempfile
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jobs.artifacts import ArtifactStore
from jobs.audit import text_digest
from jobs.broker import Broker
from jobs.errors import ArtifactCorrupt, BrokerUnavailable, Deleted, GeneratorNotFound
from jobs.generators import GeneratorStore
from jobs.job import attempt_prefix
from jobs.samples import SampleFailure, SampleReply, encode
from sfd_core.display.marking import GENERATOR, RECORD, marked
from sfd_core.display.pictures import png, sheet
from sfd_core.errors import ModelRefused
from sfd_core.families.device import pick_device
from sfd_core.families.loading import load_generator
from sfd_core.families.protocol import Generator
from sfd_core.families.sampling import UnknownConcept
from worker.credentials import Credentials
from worker.drawing import Drawing

logger = logging.getLogger("lethe.sampler")

CACHED = 8
CACHED_BYTES = 8 << 30
"""Generators kept in memory, and what their files may have together; the one that was used longest ago goes first, and
the one that is used stays."""


@dataclass(frozen=True)
class Loaded:
    """A generator in memory. ``size``: of its files, in bytes."""

    generator: Generator
    size: int


class Sampler:
    """A maker of images with published generators, from any number of threads. Their files come from the artefact
    store, verified. ``mark_images``: images say what has made them; ``credentials``: and are signed to have been."""

    def __init__(
        self,
        generators: GeneratorStore,
        artifacts: ArtifactStore,
        broker: Broker,
        device: str = "auto",
        *,
        mark_images: bool = True,
        credentials: Credentials | None = None,
    ) -> None:
        self.generators, self.artifacts, self.broker = generators, artifacts, broker
        self.mark_images, self.credentials = mark_images, credentials
        self.device = str(pick_device(device))
        self.loaded: OrderedDict[str, Loaded] = OrderedDict()
        self.drawing = Drawing(self._generator)

    def answer(self, generator_id: str, request: dict[str, Any], reply_key: str) -> None:
        """Sample and push the answer; what cannot be done is answered too, in the catalogue's words."""
        try:
            reply: SampleReply | SampleFailure = self.sample(generator_id, request)
        except UnknownConcept as error:
            reply = SampleFailure("invalid_request", str(error))
        except (Deleted, GeneratorNotFound) as error:
            reply = SampleFailure(error.code, str(error))
        except (ArtifactCorrupt, ModelRefused) as error:
            logger.error("generator %s cannot be loaded: %s", generator_id, error)
            reply = SampleFailure("artifact_corrupt", "the generator's files do not verify")
        try:
            self.broker.reply(reply_key, encode(reply))
        except BrokerUnavailable as error:
            logger.warning("the asker's answer is lost: %s", error)

    def sample(self, generator_id: str, request: dict[str, Any]) -> SampleReply:
        """Answer ``request``: its seed, its format (``grid``: one image of all; else one PNG an image), and what is
        asked for: a concept of which ``n`` images are made, or ``prompts``, one an image. Those that are asked for at
        the same time are drawn together where they fit into one batch."""
        began = time.perf_counter()
        images = self.drawing.draw(generator_id, request)
        pngs = (sheet(images),) if request["format"] == "grid" else tuple(png(image) for image in images)
        origin = self._origin(generator_id)
        if self.mark_images:
            pngs = tuple(marked(each, origin) for each in pngs)
        if self.credentials is not None:
            pngs = tuple(self.credentials.signed(each, origin) for each in pngs)
        return SampleReply(pngs, request["seed"], request.get("concept"), generator_id, time.perf_counter() - began)

    def forget_deleted(self) -> None:
        """Drop from memory what was deleted since: in the thread that draws, between two batches."""
        held = list(self.loaded)
        if held and (gone := set(held) - self.generators.existing(held)):
            logger.info("deleted, so it leaves the memory: %s", ", ".join(sorted(gone)))
            self.drawing.in_between(partial(self._drop, gone))

    def _drop(self, generator_ids: Collection[str]) -> None:
        for generator_id in generator_ids:
            self.loaded.pop(generator_id, None)

    def _origin(self, generator_id: str) -> dict[str, str]:
        """What images of a generator say of it. Asked anew each time: a release gives it another record."""
        return {GENERATOR: generator_id, RECORD: text_digest(self.generators.get(generator_id).record)}

    def _generator(self, generator_id: str) -> Generator:
        if generator_id not in self.loaded:
            row = self.generators.get(generator_id)
            with tempfile.TemporaryDirectory(prefix="lethe-generator-") as folder:
                self.artifacts.fetch(attempt_prefix(row.job_id, row.attempt), row.files, Path(folder))
                loaded = load_generator(Path(folder), self.device)
            self.loaded[generator_id] = Loaded(loaded, sum(file.size for file in row.files.values()))
            while len(self.loaded) > 1 and (len(self.loaded) > CACHED or self._bytes() > CACHED_BYTES):
                self.loaded.popitem(last=False)
        self.loaded.move_to_end(generator_id)
        return self.loaded[generator_id].generator

    def _bytes(self) -> int:
        return sum(each.size for each in self.loaded.values())
