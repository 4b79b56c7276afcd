"""Work folders that outlived their job are removed, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.ids import new_id
from jobs.states import TERMINAL, Status
from jobs.store import JobStore
from tests.store.making import in_state
from worker.leftovers import remove_leftovers


def left(work: Path, name: str) -> Path:
    folder = work / name
    (folder / "attempt-1" / "checkpoints").mkdir(parents=True)
    (folder / "attempt-1" / "checkpoints" / "fake_score.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize("status", list(Status))
def test_only_what_a_job_that_is_over_left(store: JobStore, tmp_path: Path, status: Status) -> None:
    job = in_state(store, status)
    folder = left(tmp_path, job.id)
    removed = remove_leftovers(tmp_path, store)
    assert removed == ([job.id] if status in TERMINAL else [])
    assert folder.exists() == (status not in TERMINAL)


def test_what_belongs_to_another_service_or_to_no_job_is_left_alone(store: JobStore, tmp_path: Path) -> None:
    stranger, no_job = left(tmp_path, new_id("job")), left(tmp_path, "notes")
    assert remove_leftovers(tmp_path, store) == []
    assert stranger.exists()
    assert no_job.exists()


def test_without_a_work_folder_there_is_nothing_to_remove(store: JobStore, tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "absent", store) == []
