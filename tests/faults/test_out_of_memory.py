"""A run whose memory does not suffice is made once more with half the micro-batch, and its record says so."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import Engine

from jobs.generators import GeneratorStore
from sfd_core.base_model.manifest import BaseModel
from tests.support.attempts import script, submitted
from worker.runner import Runner, with_half_the_micro_batch

ASKED = """
recipe = json.load(open(folder + "/task.json"))["request"]["recipe"]
with open(folder + "/../../asked", "a") as asked:
    print(json.dumps(recipe["micro_batch"]), file=asked)
"""
"""Notes what micro-batch the process was given."""
TOO_MUCH = 'tell("error", code="out_of_memory", message="tried to allocate 20 GiB"); sys.exit(1)'
REAL = 'os.execv(sys.executable, [sys.executable, "-P", "-m", "worker.training_process", folder])'


def asked(runner: Runner) -> list[int | None]:
    return [json.loads(line) for line in (runner.settings.work_dir / "asked").read_text().splitlines()]


def test_it_is_made_again_with_half_and_the_record_says_so(
    engine: Engine, runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, ASKED, f"if recipe['micro_batch'] is None: {TOO_MUCH}", REAL)
    job = submitted(runner.store, model)
    runner.run()
    done = runner.store.get(job.id)
    assert (str(done.status), done.failures, done.attempt) == ("succeeded", 0, 1), done.error
    assert done.generator_id is not None
    envelope = json.loads(GeneratorStore(engine).get(done.generator_id).record)
    predicate = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    changed = {"setting": "recipe.micro_batch", "asked": None, "ran": 4, "reason": "out_of_memory"}
    assert predicate["changed"] == [changed]
    assert predicate["request"]["recipe"]["micro_batch"] is None
    assert predicate["recipe"]["micro_batch"] == 4
    assert asked(runner) == [None, 4]


def test_only_once(runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, ASKED, TOO_MUCH)
    job = submitted(runner.store, model)
    for _ in range(3):
        runner.run()
    failed = runner.store.get(job.id)
    assert failed.error is not None
    assert (failed.error.code, failed.error.retryable, failed.attempt) == ("out_of_memory", False, 1)
    assert asked(runner) == [None, 4]


@pytest.mark.parametrize(
    ("recipe", "gpus", "half"),
    [
        ({"batch": 64, "micro_batch": None}, 1, 32),
        ({"batch": 64, "micro_batch": 8}, 1, 4),
        ({"batch": 64, "micro_batch": 4096}, 1, 32),
        ({"batch": 65, "micro_batch": None}, 4, 8),
        ({"batch": 64, "micro_batch": 32}, 4, 8),
        ({"batch": 3, "micro_batch": None}, 1, 1),
        ({"batch": 64, "micro_batch": 1}, 1, None),
        ({"batch": 4, "micro_batch": None}, 8, None),
    ],
)
def test_half_of_what_is_at_once(recipe: dict[str, Any], gpus: int, half: int | None) -> None:
    smaller = with_half_the_micro_batch({"seed": 7, "recipe": recipe}, gpus)
    assert smaller == (None if half is None else {"seed": 7, "recipe": {**recipe, "micro_batch": half}})
