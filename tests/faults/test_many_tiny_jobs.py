"""Very many jobs, one after the other, by one worker: it keeps nothing of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import psutil
import pytest

from sfd_core.base_model.manifest import BaseModel
from tests.support.attempts import TRAINED, script, submitted
from worker.runner import Runner


def test_memory_and_descriptors_stay_as_they_are(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch, full: bool, figure: Callable[[str], None]
) -> None:
    script(monkeypatch, TRAINED)
    jobs, warm = (1000, 100) if full else (30, 10)
    own = psutil.Process()

    def run(times: int) -> None:
        for _ in range(times):
            job = submitted(runner.store, model)
            runner.run()
            assert str(runner.store.get(job.id).status) == "succeeded"

    run(warm)
    gc.collect()
    memory, descriptors, threads = own.memory_info().rss, own.num_fds(), own.num_threads()
    processes = len(own.children())
    began = time.monotonic()
    run(jobs)
    gc.collect()
    grown = own.memory_info().rss / memory - 1
    assert grown < 0.05
    assert own.num_fds() <= descriptors
    assert own.num_threads() <= threads
    assert len(own.children()) <= processes
    figure(
        f"{jobs} jobs in {time.monotonic() - began:.0f} s: memory {grown:+.1%}, "
        f"{descriptors} descriptors before and {own.num_fds()} after"
    )
