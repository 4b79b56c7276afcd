"""Requests that wait together are drawn together, and nobody can tell: the bytes are those of drawing alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import Generator
from sfd_core.families.sampling import SAMPLE_BATCH, Images, UnknownConcept
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.loaded import LoadedPipeline
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_text_model import make_tiny_text_model
from tests.support.waiting import wait_for
from worker.drawing import Drawing

OURS, OTHER = "gen_a", "gen_b"


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> OneStepGenerator:
    base = load_base(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))
    return OneStepGenerator.of(base.network, base.schedule, 440, base.model)


class Gate:
    """Opens generators once it is told to, and keeps what their networks were asked for: how many images at a time."""

    def __init__(self, generators: Mapping[str, Generator]) -> None:
        self.generators, self.opened, self.calls = generators, threading.Event(), 0

    def open(self, generator_id: str) -> Generator:
        assert self.opened.wait(30)
        if generator_id not in self.generators:
            raise ModelRefused(f"no {generator_id}")
        return self.generators[generator_id]

    def together(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Future[Images]]:
        """Draw a first request, behind which all of ``asked`` wait, in their order."""
        drawing = Drawing(self.open)
        pool = ThreadPoolExecutor(len(asked) + 1)
        first = pool.submit(drawing.draw, OURS, {"concept": "red", "n": SAMPLE_BATCH, "seed": 0})
        wait_for(lambda: drawing._thread._work_queue.qsize() == 0 and not drawing._waiting, 10)
        drawn = []
        for i, (generator_id, request) in enumerate(asked):
            drawn.append(pool.submit(drawing.draw, generator_id, request))
            wait_for(lambda n=i + 1: len(drawing._waiting) == n, 10)  # type: ignore[misc]
        with counted(self):
            self.opened.set()
            first.result(30)
            pool.shutdown()
        return drawn


class counted:
    """Counts the batches that the network of every generator of a gate is asked for."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def __enter__(self) -> None:
        def count(*_: Any) -> None:
            self.gate.calls += 1

        networks = {id(g.network): g.network for g in self.gate.generators.values()}
        self.hooks = [network.register_forward_hook(count) for network in networks.values()]

    def __exit__(self, *_: Any) -> None:
        for hook in self.hooks:
            hook.remove()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_those_that_wait_get_the_bytes_of_drawing_alone(generator: OneStepGenerator) -> None:
    asked = [
        {"concept": c, "n": n, "seed": s}
        for c, n, s in [("red", 1, 7), ("blue", 3, 7), ("red", 2, 900), ("blue", 1, 0)]
    ]
    gate = Gate({OURS: generator})
    drawn = gate.together([(OURS, each) for each in asked])
    assert gate.calls == 2, "the first, and one batch for the four behind it"
    for each, found in zip(asked, drawn, strict=True):
        assert found.result().tobytes() == generator.sample(**each).tobytes()


def test_noise_of_one_generator_would_differ(generator: OneStepGenerator) -> None:
    """The negative control: what is compared above can tell. Noise that a batch draws from one seed gives the first
    request its bytes and no other."""
    asked = [("red", 7), ("red", 8)]
    alone = [generator.sample(concept, 1, seed) for concept, seed in asked]
    shape = generator.network.config.in_channels, *2 * [generator.network.config.sample_size]
    noise = torch.randn(SAMPLE_BATCH, *shape, generator=torch.Generator().manual_seed(7))
    labels = torch.tensor([generator.label("red")] * SAMPLE_BATCH)
    together = generator.images(noise, labels)
    assert together[1].tobytes() != alone[1].tobytes()
    assert generator.sample_labels([generator.label("red")] * 2, [7, 8])[1].tobytes() == alone[1].tobytes()


def test_a_text_models_too(tmp_path: Path) -> None:
    base = load_base(make_tiny_text_model(tmp_path / "text"))
    assert isinstance(base, LoadedPipeline)
    ours = TextGenerator.of(base.network, base, 440)
    asked = [{"prompts": ["a cat"], "seed": 3}, {"prompts": ["a dog", "a cat sitting on a long red bench"], "seed": 5}]
    gate = Gate({OURS: ours})
    drawing = Drawing(gate.open)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(drawing.draw, OURS, {"prompts": ["a"] * SAMPLE_BATCH, "seed": 1})
        wait_for(lambda: drawing._thread._work_queue.qsize() == 0 and not drawing._waiting, 10)
        drawn = [pool.submit(drawing.draw, OURS, each) for each in asked]
        wait_for(lambda: len(drawing._waiting) == 2, 10)
        with counted(gate):
            gate.opened.set()
            first.result(30)
            [each.result(30) for each in drawn]
    assert gate.calls == 2
    for each, found in zip(asked, drawn, strict=True):
        seeds = range(each["seed"], each["seed"] + len(each["prompts"]))
        assert found.result().tobytes() == ours.sample_prompts(each["prompts"], seeds).tobytes()


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([1] * 16, 1),
        ([1] * 17, 2),
        ([16, 16], 2),
        ([10, 10, 6, 6], 2),  # the third fits beside the first, the fourth beside the second
        ([20, 12], 2),  # what the second of two batches leaves empty
        ([20, 13], 3),
    ],
)
def test_only_places_that_would_be_empty_are_filled(
    generator: OneStepGenerator, sizes: list[int], batches: int
) -> None:
    gate = Gate({OURS: generator})
    drawn = gate.together([(OURS, {"concept": "red", "n": n, "seed": 50 * i}) for i, n in enumerate(sizes)])
    assert gate.calls == 1 + batches
    assert [len(each.result()) for each in drawn] == sizes


def test_one_that_is_refused_does_not_spoil_the_others(generator: OneStepGenerator) -> None:
    good = {"concept": "blue", "n": 1, "seed": 1}
    gate = Gate({OURS: generator})
    asked = [(OURS, {**good, "concept": "purple"}), (OURS, good), (OURS, {"prompts": ["x"], "seed": 1}), (OTHER, good)]
    unknown, fine, of_another, missing = gate.together(asked)
    assert isinstance(unknown.exception(), UnknownConcept)
    assert fine.result().tobytes() == generator.sample(**good).tobytes()
    assert "another family" in str(of_another.exception())
    assert str(missing.exception()) == f"no {OTHER}"


def test_generators_are_not_mixed(generator: OneStepGenerator) -> None:
    asked = {"concept": "red", "n": 1, "seed": 3}
    gate = Gate({OURS: generator, OTHER: generator})
    gate.together([(OURS, asked), (OTHER, asked), (OURS, asked)])
    assert gate.calls == 3


def test_a_fault_of_drawing_reaches_everybody_and_the_next_is_drawn(generator: OneStepGenerator) -> None:
    failing: list[bool] = [True]

    def open_(_: str) -> Generator:
        if failing:
            failing.pop()
            raise MemoryError("no room")
        return generator

    drawing = Drawing(open_)
    draw: Callable[[], Images] = lambda: drawing.draw(OURS, {"concept": "red", "n": 1, "seed": 1})  # noqa: E731
    with pytest.raises(MemoryError, match="no room"):
        draw()
    assert np.array_equal(draw(), generator.sample("red", 1, 1))
