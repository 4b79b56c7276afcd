"""Why an attempt ended, in the words of the catalogue: one reading of exceptions, for the processes that train and for
the runner that publishes. Plain: does not import torch, whose errors are known by their names."""

from __future__ import annotations

import errno
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sfd_core.errors import InvalidRequest, ModelRefused, ModelUnavailable, TrainingDiverged
from sfd_core.storage import is_full

LINES = 3
"""Last lines of a process that are told where nothing better is known."""
_NO_MEMORY = ("can't allocate memory", "std::bad_alloc", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""What the libraries below torch say in a RuntimeError."""
_OF_MODELS = ("/torch/nn/modules/", "/transformers/", "/diffusers/", "/tokenizers/")
"""Libraries in which an error is raised while a network or a tokenizer of the model is at work."""
_OURS = ("sfd_core", "worker", "jobs")
_OUTSIDE = ("AcceleratorError", "DistBackendError", "DistNetworkError", "DistStoreError")
"""Errors of torch that are a device's or a connection's."""


@dataclass(frozen=True)
class Cause:
    """A code of ``jobs.errors.JOB_ERRORS``, and what happened."""

    code: str
    message: str


def _is(kind: type[BaseException]) -> Callable[[BaseException], bool]:
    return lambda error: isinstance(error, kind)


def _named(*names: str) -> Callable[[BaseException], bool]:
    return lambda error: any(kind.__name__ in names for kind in type(error).__mro__)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or _named("OutOfMemoryError")(error):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def _is_the_models(error: BaseException) -> bool:
    """Whether it was raised while a network or a tokenizer of the model was at work."""
    files = (frame.filename for frame in traceback.extract_tb(error.__traceback__))
    return any(library in file for file in files for library in _OF_MODELS)


def is_of_another(error: BaseException) -> bool:
    """Return whether it was raised while the processes of one attempt talked to each other: another has ended, and
    whoever started them says how."""
    return any("/torch/distributed/" in frame.filename for frame in traceback.extract_tb(error.__traceback__))


_KINDS: tuple[tuple[Callable[[BaseException], bool], str], ...] = (
    (_is(ModelRefused), "model_refused"),
    (_is(ModelUnavailable), "model_unavailable"),
    (_is(InvalidRequest), "invalid_request"),
    (_is(TrainingDiverged), "training_diverged"),
    (_is_out_of_memory, "out_of_memory"),
    (is_full, "storage_full"),
    (_is(OSError), "internal"),
    (_named(*_OUTSIDE), "internal"),
    (_is_the_models, "model_refused"),
)
FORESEEN = (ModelRefused, ModelUnavailable, InvalidRequest, TrainingDiverged)
"""Errors whose text was written for whoever reads the job."""


def cause_of(error: BaseException, otherwise: str) -> Cause:
    """Return what ``error`` means for the job. ``otherwise``: the code of one that is none of the known kinds."""
    code = next((code for is_it, code in _KINDS if is_it(error)), otherwise)
    if isinstance(error, FORESEEN):
        return Cause(code, str(error))
    return Cause(code, f"{type(error).__name__}: {error}".rstrip(": ") + _where(error))


def of_an_end(status: int | None, last_words: str, killed_for_memory: bool) -> Cause:
    """Return what the end of a process means that has said nothing of it. ``status``: as of ``subprocess``, None where
    it did not end in time; ``last_words``: the end of its log."""
    if killed_for_memory and status == -signal.SIGKILL:
        return Cause("out_of_memory", "the kernel killed the training process: the machine or its container has no "
                     "more memory for it")  # fmt: skip
    return Cause("training_crashed", f"the training process ended with {how(status)}" + "".join(_said(last_words)))


def how(status: int | None) -> str:
    """Say in words how a process ended."""
    if status is None:
        return "nothing but its output"
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def _said(last_words: str) -> Iterator[str]:
    lines = [line.strip() for line in last_words.splitlines() if line.strip()]
    if lines:
        yield f"; its last lines: {' / '.join(lines[-LINES:])}"


def _where(error: BaseException) -> str:
    """The line of ours that was being run."""
    root = Path(__file__).resolve().parents[1]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(root) and path.relative_to(root).parts[0] in _OURS:
            return f" ({path.relative_to(root)}, line {frame.lineno})"
    return ""
