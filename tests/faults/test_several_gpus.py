"""An attempt in two processes, as on two GPUs: it is that of one, it ends as a whole, and it is taken up again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from jobs.job import Job
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.registry import load_manifest
from sfd_core.request.reading import written
from sfd_core.training import checkpoint
from tests.faults.conftest import Service
from tests.faults.test_promise import assert_resumed_and_published_once, wait_for_training
from tests.support.waiting import wait_for
from worker.child import training_process
from worker.task import EXIT_STOPPED, Task

SECONDS = 250.0
PUBLISHED = "generator/unet/diffusion_pytorch_model.safetensors"


@dataclass
class Attempt:
    """A training process of ours and all that it has said; ``processes``: it and those that it started, once they
    train."""

    folder: Path
    child: Any
    events: list[dict[str, Any]] = field(default_factory=list)
    processes: dict[str, psutil.Process] = field(default_factory=dict)

    def until(self, found: Callable[[dict[str, Any]], bool]) -> None:
        """Listen until it says that."""

        def heard() -> bool:
            event = self.child.next_event(0.5)
            if event is not None:
                self.events.append(event)
            return event is not None and found(event)

        wait_for(heard, SECONDS)

    def train(self) -> None:
        """Listen until a checkpoint is written."""
        self.until(lambda event: event["type"] == "checkpoint")
        launcher = psutil.Process(self.child.process.pid)
        self.processes = {rank.environ()["RANK"]: rank for rank in launcher.children()} | {"launcher": launcher}
        assert len(self.processes) == 3

    def end(self) -> int | None:
        """Listen to the end; returns the exit status. Nothing of it runs any more."""
        with contextlib.suppress(EOFError):
            self.until(lambda event: False)
        status = self.child.process.wait(SECONDS)
        assert isinstance(status, int)
        wait_for(lambda: not any(runs(process) for process in self.processes.values()), 5)
        return status

    def error(self) -> dict[str, Any] | None:
        return next((event for event in self.events if event["type"] == "error"), None)


def runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def model(tiny_models: Path) -> BaseModel:
    return load_manifest(tiny_models / "tiny")


@contextlib.contextmanager
def attempt(
    folder: Path, model: BaseModel, gpus: int, steps: int, *earlier: Path, shard: bool = False, **recipe: Any
) -> Iterator[Attempt]:
    body = {
        "forget": [{"concept": "red", "override": "green"}],
        "budget": {"images": steps * 7},
        "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
        "recipe": {"batch": 7, "forgotten_share": 0.25, "evaluate_every": 50} | recipe,
    }
    request = written(admit(body, model).request)
    folder.mkdir()
    before = [str(path / "checkpoints") for path in earlier]
    checkpoints = str(folder / "checkpoints")
    Task(request, str(model.folder), checkpoints, before, 0.2, "cpu", 1, gpus=gpus, shard=shard).write(folder)
    with training_process(folder) as child:
        yield Attempt(folder, child)


def newest(folder: Path) -> dict[str, Any]:
    """The generator and the fake score of an attempt's newest checkpoint, and where its draws stand."""
    last = max((folder / "checkpoints").glob("step-*"))
    checkpoint.verify(last)
    return {name: load_file(last / f"{name}.safetensors") for name in ("generator", "fake_score", "rng")}


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_two_processes_make_the_generator_of_one(model: BaseModel, tmp_path: Path, shard: bool) -> None:
    """Ten steps, where rounding has not grown yet, and the report of the whole."""
    made = []
    for gpus in (1, 2):
        # Adam's first steps are signs of gradients: with a large epsilon they follow the gradient as closely as it is.
        with attempt(tmp_path / str(gpus), model, gpus, 10, shard=shard, adam_epsilon=0.01) as running:
            assert running.end() == 0, running.child.process.last_words()
        assert [event["type"] for event in running.events][-1] == "done"
        assert len([event for event in running.events if event["type"] == "done"]) == 1
        assert [e["phase"] for e in running.events if e["type"] == "phase"][-2:] == ["training", "evaluating"]
        made.append(newest(tmp_path / str(gpus)))
    one, two = made
    assert torch.equal(one["rng"]["rng"], two["rng"]["rng"])
    for name in ("generator", "fake_score"):
        for key, weight in one[name].items():
            torch.testing.assert_close(two[name][key], weight, rtol=1e-4, atol=1e-6)
    devices = [(tmp_path / gpus / "report/report.json").read_text() for gpus in "12"]
    assert '"2 x CPU, 1 threads"' not in devices[0]
    assert '"2 x CPU, 1 threads"' in devices[1]
    first, second = (load_file(tmp_path / gpus / PUBLISHED) for gpus in "12")
    assert first.keys() == second.keys()
    assert all(torch.allclose(second[key], first[key], rtol=1e-2, atol=1e-4) for key in first), "in half precision"


@pytest.mark.slow
@pytest.mark.parametrize(("killed", "shard"), [("0", False), ("1", False), ("1", True)])
def test_one_that_is_killed_ends_all_of_them(model: BaseModel, tmp_path: Path, killed: str, shard: bool) -> None:
    """The attempt fails, with words; the next goes on where its last checkpoint was, and stops with another when it is
    asked to."""
    with attempt(tmp_path / "1", model, 2, 100_000, shard=shard) as running:
        running.train()
        os.kill(running.processes[killed].pid, signal.SIGKILL)
        assert running.end() == 1
    error = running.error()
    assert error is not None
    assert error["code"] == "training_crashed"
    assert f"{int(killed) + 1} with signal 9" in error["message"]
    before = max(event["step"] for event in running.events if event["type"] == "checkpoint")

    with attempt(tmp_path / "2", model, 2, 100_000, tmp_path / "1", shard=shard) as again:
        again.train()
        assert again.events[-1]["step"] > before
        again.child.process.ask_to_stop()
        assert again.end() == EXIT_STOPPED
    assert again.error() is None
    steps = [event["step"] for event in again.events if event["type"] == "checkpoint"]
    assert max((tmp_path / "2/checkpoints").glob("step-*")).name == f"step-{steps[-1]:08d}"


def test_none_outlives_the_process_that_started_them(model: BaseModel, tmp_path: Path) -> None:
    with attempt(tmp_path / "1", model, 2, 100_000) as running:
        running.train()
        os.kill(running.processes["launcher"].pid, signal.SIGKILL)
        assert running.end() == -signal.SIGKILL


@pytest.mark.slow
def test_what_ends_all_of_them_is_told_once(model: BaseModel, tmp_path: Path) -> None:
    rates = {"lr_generator": 0.1, "lr_fake_score": 0.1, "clip_value": 1e6, "deep_weight": 0}
    with attempt(tmp_path / "1", model, 2, 5000, **rates) as running:
        assert running.end() == 1
    error = running.error()
    assert error is not None
    assert error["code"] == "training_diverged"


def training_in_two(service: Service, job: Job, **settings: str) -> dict[str, psutil.Process]:
    """The processes that train ``job`` under a worker of these settings, once they have a checkpoint."""
    service.environment |= {"LETHE_GPUS": "2", "LETHE_DEVICE": "cpu"} | settings
    worker = service.start_worker()
    wait_for_training(service, job, 0.2)
    launcher = worker.training_pid()
    assert launcher is not None
    return {rank.environ()["RANK"]: rank for rank in psutil.Process(launcher).children()}


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_a_job_survives_the_death_of_one_of_its_processes(service: Service, shard: bool) -> None:
    """The follower, of which the runner knows nothing."""
    job = service.submit()
    ranks = training_in_two(service, job, LETHE_SHARD=str(int(shard)))
    assert Task.read(service.settings.work_dir / job.id / "attempt-1").shard is shard
    ranks["1"].kill()
    assert_resumed_and_published_once(service, job, SECONDS)
    assert service.store.get(job.id).failures == 1
    assert not any(runs(rank) for rank in ranks.values())


@pytest.mark.slow
@pytest.mark.parametrize("stopped", ["0", "1"])
def test_a_job_survives_one_of_its_processes_that_hangs(service: Service, stopped: str) -> None:
    """It is there, so nobody ends the others, and they wait for it: only the runner sees that nothing moves."""
    job = service.submit()
    ranks = training_in_two(service, job, LETHE_STALL_SECONDS="20")  # longer than a start takes
    ranks[stopped].suspend()
    (lost,) = wait_for(lambda: service.events(job, "job.lost"), 60)
    assert lost.data["error"]["code"] == "training_stalled"
    assert_resumed_and_published_once(service, job, SECONDS)
    assert service.store.get(job.id).failures == 1
    assert not any(runs(rank) for rank in ranks.values())
