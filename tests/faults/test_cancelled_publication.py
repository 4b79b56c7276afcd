"""A cancel that comes while a generator is published: all of it is published, or nothing, and both are said."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sfd_core.base_model.manifest import BaseModel
from tests.faults.test_cut_publication import visible
from tests.support.attempts import TRAINED, a_runner, script, submitted


def test_a_cancel_at_every_step_of_a_publication(
    engine: Engine, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """Before each file that is stored, before the transaction that publishes, and after it."""
    script(monkeypatch, TRAINED)
    runner = a_runner(engine, model.folder.parent, tmp_path)
    ends: list[str] = []
    for at in itertools.count(1):
        job = submitted(runner.store, model)
        left = [at]

        def step(job_id: str = job.id, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                first = runner.store.request_cancel(job_id)
                assert runner.store.request_cancel(job_id) == first, "the same answer twice"

        put_file, publish = runner.artifacts.put_file, runner.store.publish

        def stored(*arguments: Any, step: Callable[[], None] = step, put: Callable[..., Any] = put_file) -> Any:
            step()
            return put(*arguments)

        def published(*arguments: Any, step: Callable[[], None] = step, made: Callable[..., Any] = publish) -> Any:
            step()
            answer = made(*arguments)
            step()
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(runner.artifacts, "put_file", stored)
            patched.setattr(runner.store, "publish", published)
            runner.run()
        done = runner.store.get(job.id)
        ends.append(str(done.status))
        assert visible(engine, runner.artifacts, job.id) == (ends[-1] == "succeeded")
        assert done.failures == 0
        if left[0] > 0:
            break
    assert ends == ["cancelled"] * (len(ends) - 2) + ["succeeded"] * 2
    assert len(ends) >= 5
    figure(f"{len(ends) - 2} cancels in time, each all; 1 too late, nothing of it")
