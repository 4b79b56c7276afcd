"""Training processes are forked by one that has imported what they need: they make what one started by exec makes, and
where they cannot be forked exec starts them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes.forking import ForkServer
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.request.reading import written
from tests.faults.conftest import Service
from tests.support.attempts import body_of
from tests.support.waiting import wait_for
from worker import training_process as program
from worker.child import NAME, fork_server, training_process
from worker.task import Task

FIRST_STEP_SECONDS = 2.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForkServer]:
    made = fork_server(tmp_path)
    yield made
    made.close()


def attempt(folder: Path, model: BaseModel, server: ForkServer | None) -> dict[str, str]:
    """Make an attempt. Returns the digest of every file of its generator but the card, which tells of seconds."""
    folder.mkdir()
    request = written(admit(body_of(5), model).request)
    Task(request, str(model.folder), str(folder / "checkpoints"), [], 60, "cpu", 1).write(folder)
    events = []
    with training_process(folder, server) as child:
        while True:
            try:
                events += [event] if (event := child.next_event(1)) else []
            except EOFError:
                break
        assert child.process.wait(30) == 0, child.process.last_words()
    assert events[-1] == {"type": "done"}
    files = [path for path in sorted((folder / "generator").rglob("*")) if path.is_file() and path.name != "README.md"]
    assert files
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_it_makes_the_same_bytes(tmp_path: Path, model: BaseModel, server: ForkServer) -> None:
    forked = [attempt(tmp_path / name, model, server) for name in ("one", "two")]
    assert forked == [attempt(tmp_path / "three", model, None)] * 2


def test_where_it_cannot_be_forked_exec_starts_it(
    tmp_path: Path, model: BaseModel, caplog: pytest.LogCaptureFixture
) -> None:
    broken = ForkServer("no.such.module", tmp_path / "server.log")
    assert attempt(tmp_path / "one", model, broken)
    assert "the training process is started by exec: its server ended as it imported" in caplog.text


def test_no_process_is_forked_once_a_driver_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert program.preload() is None
    monkeypatch.setattr(program, "DRIVER", "libtorch_python.so")  # some library that is there
    assert program.preload() == "what it imported has loaded libtorch_python.so"


ALONE = """
import json, os, sys, threading
from pathlib import Path
from worker.training_process import preload
from worker.attempt import Task, run
assert preload() is None
threads, before = len(os.listdir("/proc/self/task")), set(sys.modules)
import torch
touched = torch.cuda.is_initialized()
folder = Path(sys.argv[1])
assert run(Task.read(folder), folder, threading.Event()) == 0
print(json.dumps([threads, touched, sorted(set(sys.modules) - before)]))
"""


def test_what_it_imports_is_all_and_starts_no_thread_and_touches_no_device(tmp_path: Path, model: BaseModel) -> None:
    """An attempt imports next to nothing itself. OpenBLAS's own threads are left out: it ends them itself before a
    fork."""
    request = written(admit(body_of(5), model).request)
    Task(request, str(model.folder), str(tmp_path / "checkpoints"), [], 60, "cpu", 1).write(tmp_path)
    command = [sys.executable, "-c", ALONE, str(tmp_path)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    threads, touched, later = json.loads(ran.stdout.splitlines()[-1])
    assert (threads, touched) == (1, False)
    assert len(later) < 60, later


def test_the_first_step_comes_at_once_and_it_is_seen_by_its_name(service: Service) -> None:
    """Measured where the worker has waited: from the claim to a step that is done, by the events of the store."""
    worker = service.start_worker()
    first = service.submit(steps=5)
    service.wait_status(first, "succeeded")
    job = service.submit(steps=2000)
    stepped = wait_for(lambda: [e for e in service.events(job, "job.progress") if e.data.get("images")], 30)[0]
    assert worker.process.poll() is None
    started = service.events(job, "job.started")[0]
    assert (stepped.created_at - started.created_at).total_seconds() < FIRST_STEP_SECONDS
    assert Path(f"/proc/{worker.training_pid()}/comm").read_text().strip() == NAME
    service.store.request_cancel(job.id, "default")
    service.wait_status(job, "cancelled")
