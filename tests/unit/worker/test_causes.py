"""What an exception, or an end without a word, means for a job."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable

import pytest
import torch
from torch import nn

from jobs.errors import JOB_ERRORS
from jobs.job import MAX_MESSAGE, JobError
from sfd_core.errors import FieldError, InvalidRequest, ModelRefused, ModelUnavailable, TrainingDiverged
from worker.attempt import told
from worker.causes import Cause, cause_of, of_an_end
from worker.task import Stopped


def _raise(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


def _in_a_network() -> int:
    nn.Sequential(nn.Embedding(3, 3))(torch.tensor([7]))
    return 0


def _beside_a_network() -> int:
    torch.zeros(3)[torch.tensor([7])]
    return 0


def _too_much() -> int:
    torch.empty(10**14)
    return 0


KINDS: dict[str, tuple[Callable[[], int], str]] = {
    "a refusal": (_raise(ModelRefused("unet: NaN")), "model_refused"),
    "a hub that is away": (_raise(ModelUnavailable("no answer")), "model_unavailable"),
    "a request": (_raise(InvalidRequest((FieldError("/recipe/batch", "too many"),))), "invalid_request"),
    "a loss": (_raise(TrainingDiverged("NaN at step 3")), "training_diverged"),
    "a network": (_in_a_network, "model_refused"),
    "the same of ours": (_beside_a_network, "run_failed"),
    "anything": (_raise(KeyError("figures")), "run_failed"),
    "the GPU's memory": (_raise(torch.OutOfMemoryError("tried to allocate 20 GiB")), "out_of_memory"),
    "the machine's memory": (_too_much, "out_of_memory"),
    "Python's memory": (_raise(MemoryError()), "out_of_memory"),
    "a mapping": (_raise(OSError(errno.ENOMEM, "Cannot allocate memory")), "out_of_memory"),
    "a device": (_raise(torch.AcceleratorError("CUDA error: unspecified launch failure")), "internal"),
    "a file": (_raise(PermissionError(errno.EACCES, "Permission denied", "/work")), "internal"),
}


@pytest.mark.parametrize("what", list(KINDS))
def test_whatever_ends_a_run_is_told_by_its_kind(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    work, code = KINDS[what]
    assert told(work) == 1
    out, err = capsys.readouterr()
    (event,) = map(json.loads, out.splitlines())
    assert event == {"type": "error", "code": code, "message": event["message"]}
    assert event["message"]
    assert code in JOB_ERRORS
    written_for_users = what in ("a refusal", "a hub that is away", "a request", "a loss")
    assert ("Traceback" in err) != written_for_users, "the log has what a defect is found by, and nothing else"


def test_a_stop_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(_raise(Stopped())) == 75
    assert capsys.readouterr().out == ""


def test_what_another_attempt_would_meet_again_is_not_retried() -> None:
    """The whole table, so that a new code is thought about."""
    assert {code for code, kind in JOB_ERRORS.items() if not kind.retryable} == {
        "invalid_request",
        "model_refused",
        "training_diverged",
        "run_failed",
        "out_of_memory",
    }


def test_an_unforeseen_error_names_itself_and_the_line_of_ours() -> None:
    try:
        JobError("no such code", "", retryable=True)
    except ValueError as error:
        cause = cause_of(error, "run_failed")
    assert cause.code == "run_failed"
    assert cause.message.startswith(
        "ValueError: 'no such code' is not in the catalogue of job errors (jobs/job.py, line"
    )


@pytest.mark.parametrize(
    ("status", "words", "killed", "cause"),
    [
        (-11, "", False, Cause("training_crashed", "the training process ended with signal 11")),
        (
            1,
            "a\n\nb\nImportError: no module\n  x\n",
            False,
            Cause(
                "training_crashed",
                "the training process ended with exit status 1; its last lines: b / ImportError: no module / x",
            ),
        ),
        (
            -9,
            "Loading",
            False,
            Cause("training_crashed", "the training process ended with signal 9; its last lines: Loading"),
        ),
        (-11, "", True, Cause("training_crashed", "the training process ended with signal 11")),
        (None, "", True, Cause("training_crashed", "the training process ended with nothing but its output")),
    ],
)
def test_an_end_without_a_word(status: int | None, words: str, killed: bool, cause: Cause) -> None:
    assert of_an_end(status, words, killed) == cause


def test_a_kill_for_memory_is_named_as_one() -> None:
    cause = of_an_end(-9, "Loading", killed_for_memory=True)
    assert cause.code == "out_of_memory"
    assert "the kernel killed the training process" in cause.message


def test_a_message_can_be_stored_whatever_a_file_or_a_library_says() -> None:
    error = JobError.of("model_refused", "unknown fields: \ud800, \0" + "x" * 10_000)
    assert error.message.startswith("unknown fields: ?, \N{REPLACEMENT CHARACTER}xxx")
    assert len(error.message) == MAX_MESSAGE
    assert error.message.endswith(" ...")
    assert io.BytesIO(error.message.encode()).read()
    assert not error.retryable
