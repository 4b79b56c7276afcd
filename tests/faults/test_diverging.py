"""A loss that is NaN, and a step that never ends: the job says which, at once, and nothing of it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from sfd_core.base_model.manifest import BaseModel
from tests.support.attempts import a_runner, script, submitted
from tests.support.waiting import wait_for
from worker.runner import Runner

NAN_AT = 6
POISONED = f"""
import sfd_core.training.step as module
real, calls = module.generator_loss, []
def poisoned(*arguments, **named):
    calls.append(1)
    return real(*arguments, **named) * (float("nan") if len(calls) == {NAN_AT} else 1.0)
module.generator_loss = poisoned
from worker.training_process import main
sys.exit(main(folder))
"""
"""The real training process, of which one loss is NaN."""


def test_a_loss_that_is_nan_ends_the_job_at_that_step(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    script(monkeypatch, POISONED)
    job = submitted(runner.store, model, steps=500)
    for _ in range(2):
        runner.run()
    failed = runner.store.get(job.id)
    assert failed.error is not None
    assert (failed.error.code, failed.error.retryable, failed.attempt) == ("training_diverged", False, 1)
    assert failed.error.message == f"the loss of the generator is nan at step {NAN_AT}"
    figure(f"NaN at step {NAN_AT}: training_diverged at step {NAN_AT}, not tried again")


def test_a_step_that_never_ends_is_told_and_its_process_killed(
    engine: Engine, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    frozen = 'tell("phase", phase="training"); open(folder + "/pid", "w").write(str(os.getpid())); time.sleep(1000)'
    script(monkeypatch, frozen)
    runner = a_runner(engine, model.folder.parent, tmp_path, stall_seconds=1, renew_seconds=0.2, lease_seconds=60)
    job = submitted(runner.store, model)
    runner.run()
    queued = runner.store.get(job.id)
    assert (str(queued.status), queued.failures) == ("queued", 1)
    (lost,) = [event for event in runner.store.events(job.id) if event.type == "job.lost"]
    assert lost.data["error"]["code"] == "training_stalled"
    pid = int((runner.settings.work_dir / job.id / "attempt-1" / "pid").read_text())
    wait_for(lambda: not psutil.pid_exists(pid), 10)
    figure("a frozen step: training_stalled, its process gone")
