"""An attempt that fails says why, by kind; what another attempt would meet again is not tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from sqlalchemy import Engine

from jobs.job import Job
from jobs.states import Status
from processes.forking import ForkServer
from sfd_core.base_model.manifest import BaseModel
from tests.support.attempts import TRAINED, a_runner, script, submitted
from tests.support.tiny_parts import listed_again
from worker import runner as module
from worker.runner import Runner


def ended(runner: Runner, job: Job) -> Job:
    """The job, once the runner has answered as many wake-up messages as it takes."""
    for _ in range(5):
        runner.run()
    return runner.store.get(job.id)


def test_a_judge_that_gives_nan_is_the_models_fault(
    engine: Engine, model: BaseModel, tmp_path: Path, forks: ForkServer
) -> None:
    """Its weights are finite and of the right shapes: only its answers are not."""
    path = model.folder / "judge" / "model.safetensors"
    weights = load_file(path)
    weights = {name: w * 1e30 if w.is_floating_point() else w for name, w in weights.items()}
    save_file(weights, path, metadata={"format": "pt"})
    model = listed_again(model.folder)
    runner = a_runner(engine, model.folder.parent, tmp_path, forks)
    job = ended(runner, submitted(runner.store, model))
    assert job.error is not None
    assert (job.error.code, job.error.retryable, job.attempt) == ("model_refused", False, 1)
    assert "judge: its answers are NaN or infinite" in job.error.message


SAID = 'tell("error", code="{}", message="said")\nsys.exit(1)'


@pytest.mark.parametrize(
    ("code", "attempts"),
    [("invalid_request", 1), ("model_refused", 1), ("run_failed", 1), ("training_diverged", 1), ("internal", 3)],
)
def test_what_a_process_says_is_the_jobs_error(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch, code: str, attempts: int
) -> None:
    script(monkeypatch, SAID.format(code))
    job = ended(runner, submitted(runner.store, model))
    assert job.error is not None
    assert (str(job.status), job.error.code, job.error.message, job.attempt) == ("failed", code, "said", attempts)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            "sys.stderr.write('Traceback:\\n  somewhere\\nImportError: no \\\\0 name\\n'); sys.exit(1)",
            "exit status 1; its last lines: Traceback: / somewhere / ImportError: no \\0 name",
        ),
        ("sys.exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
    ],
)
def test_an_end_without_a_word_tells_the_last_lines(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch, end: str, said: str
) -> None:
    script(monkeypatch, 'tell("phase", phase="training")', end)
    job = ended(runner, submitted(runner.store, model))
    assert job.error is not None
    assert (job.error.code, job.failures) == ("training_crashed", 3)
    assert job.error.message == f"the training process ended with {said}"


def test_a_kill_for_memory_is_named_as_one(runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's counter is made up here; tests/processes has a real one."""
    script(monkeypatch, "os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setattr(module.MemoryKills, "any_more", lambda self: True)
    job = ended(runner, submitted(runner.store, model))
    assert job.error is not None
    assert (job.error.code, job.attempt) == ("out_of_memory", 1)
    assert "the kernel killed the training process" in job.error.message


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ("pass", "FileNotFoundError"),
        ("os.mkdir(folder + '/report'); open(folder + '/report/report.json', 'w').write('{')", "JSONDecodeError"),
    ],
)
def test_an_error_of_the_runner_itself_is_told_too(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch, left: str, said: str
) -> None:
    """It used to be met by nobody, and the job waited for its lease to run out."""
    script(monkeypatch, left, 'tell("done")')
    job = ended(runner, submitted(runner.store, model))
    assert job.error is not None
    assert (job.error.code, job.failures) == ("internal", 3)
    assert said in job.error.message


def test_a_forecast_that_fails_costs_the_attempt_nothing(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("worker.runner.Forecast.of", fails)
    script(monkeypatch, TRAINED)
    job = submitted(runner.store, model)
    runner.run()
    assert runner.store.get(job.id).status is Status.SUCCEEDED


def test_a_message_that_postgres_cannot_store(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, r'tell("error", code="model_refused", message="\ud800 \0 is no field")', "sys.exit(1)")
    job = ended(runner, submitted(runner.store, model))
    assert job.error is not None
    assert job.error.message == "? \N{REPLACEMENT CHARACTER} is no field"


def test_a_model_that_this_worker_lacks_refuses_or_has_otherwise(runner: Runner, model: BaseModel) -> None:
    """The api that took the job has it as it was."""
    manifest = model.folder / "manifest.json"
    changed = json.loads(manifest.read_text())
    changed["files"]["unet/config.json"] = "f" * 64
    for text, said in (
        (json.dumps(changed), "base model tiny is sha256:"),
        ("{", "the base model in 'tiny' is refused: tiny/manifest.json: not readable as JSON"),
        (None, "unknown base model 'tiny'"),
    ):
        if text is None:
            manifest.unlink()
        else:
            manifest.write_text(text)
        job = ended(runner, submitted(runner.store, model))
        assert job.error is not None
        assert (job.error.code, job.error.retryable, job.attempt) == ("model_refused", False, 1)
        assert job.error.message.startswith(f"on this worker: {said}"), job.error.message
        assert ("when the job was submitted" in job.error.message) == ("f" * 64 in str(text))
