"""Work beside other work: in order, with half of torch's threads, and as if there were no other thread."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.shared.drawn_evidence import world
from sfd_core.evaluation import concept_images
from sfd_core.evaluation.concept_images import judge_samples, seeds_of
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.second_thread import second_thread


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield int(request.param)
    torch.set_num_threads(before)


def fail() -> None:
    raise OSError("no such thing")


def test_both_have_half_of_the_threads_and_all_is_as_it_was(threads: int) -> None:
    with second_thread() as beside:
        there = beside(torch.get_num_threads).result(10)
        here = torch.get_num_threads()
        assert (there, here) == ((1, 1) if threads == 1 else (threads // 2, threads - threads // 2))
    assert torch.get_num_threads() == threads


def test_work_is_done_in_order_beside_who_asked(threads: int) -> None:
    order: list[tuple[int, bool]] = []
    here = threading.get_ident()
    with second_thread() as beside:
        done = [beside(partial(lambda i: order.append((i, threading.get_ident() == here)), i)) for i in range(5)]
        for one in done:
            one.result(10)
    assert order == [(i, threads == 1) for i in range(5)]


def test_what_fails_is_told_where_its_result_is_asked_for(threads: int) -> None:
    with second_thread() as beside:
        failed, fine = beside(fail), beside(lambda: 7)
        with pytest.raises(OSError, match="no such thing"):
            failed.result(10)
        assert fine.result(10) == 7
    assert torch.get_num_threads() == threads


def test_what_has_not_begun_is_given_up_at_the_end() -> None:
    before, begun, go_on = torch.get_num_threads(), threading.Event(), threading.Event()
    torch.set_num_threads(2)

    def hold() -> None:
        begun.set()
        assert go_on.wait(10)

    try:
        with second_thread() as beside:
            running, waiting = beside(hold), beside(fail)
            assert begun.wait(10)
            waiting.add_done_callback(lambda given_up: go_on.set())
        assert running.result(0) is None
        with pytest.raises(CancelledError):
            waiting.result(0)
    finally:
        torch.set_num_threads(before)


class Scribe:
    """A judge that sees in each image what its first pixel says; whoever asks it twice at once is told off."""

    def __init__(self) -> None:
        self.busy = threading.Lock()

    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        assert self.busy.acquire(blocking=False)
        probabilities = np.eye(3, dtype=np.float32)[images[:, 0, 0] % 3]
        self.busy.release()
        return Judgement(probabilities, images.reshape(len(images), -1).astype(np.float32))


def test_images_are_those_of_one_thread(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk in its place, however many are under way, and all of them counted."""
    monkeypatch.setattr(concept_images, "CHUNK", 4)
    model = dataclasses.replace(world("fashion").model, concepts=("a", "b", "c"))
    evaluators = Evaluators(model, Scribe(), None)  # type: ignore[arg-type]

    def sample(labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        return np.array([[[label + seed % 7, seed % 251]] for label, seed in zip(labels, seeds, strict=True)], np.uint8)

    counts = {0: 9, 1: 8, 2: 3}
    told, judged = [], {}
    for done, of, judgements in judge_samples(sample, evaluators, counts, forgotten=[2], refused=[2], seed_offset=5):
        told.append((done, of, sorted(judgements.by_label)))
        judged = judgements.by_label
    finished = [[], [], [0], [0], [0, 1], [0, 1, 2]]
    assert told == [(done, 20, labels) for done, labels in zip((4, 8, 9, 13, 17, 20), finished, strict=True)]
    for label in (0, 1):
        seeds = [5 + seed for seed in seeds_of(label, counts[label])]
        images = sample([label] * len(seeds), seeds)
        assert np.array_equal(judged[label].judgement.features, images[:, 0])
        assert np.array_equal(judged[label].seen, images[:, 0, 0] % 3)
    assert judged[2].judgement.probabilities.tolist() == [[0, 0, 0]] * 3
