"""The state machine of a job: its states, every move between them, and the event that each move emits.

::

    queued ---> running ---> succeeded | failed
      ^  |        |  \\
      |  |        |   `--> cancelling --> cancelled
      |  `--------|---------------------------^
      `-----------'  (released, lost)             failed | cancelled --retry--> queued

``MOVES`` is the whole of it. The store goes through :func:`check_move` for every change of status, so a move that
is not in the table cannot be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """The status of a job."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # one worker holds the lease
    CANCELLING = "cancelling"  # a worker holds the lease and has been asked to stop
    SUCCEEDED = "succeeded"  # published; the verdict says whether the generator passed
    FAILED = "failed"  # ``error`` says why
    CANCELLED = "cancelled"  # stopped by the user; nothing was published


class Phase(StrEnum):
    """The work that the worker of a running job is doing. A job without a worker has no phase."""

    PREPARING = "preparing"
    TRAINING = "training"
    EVALUATING = "evaluating"
    PUBLISHING = "publishing"


class EventType(StrEnum):
    """The kind of event that is appended to a job's events."""

    QUEUED = "job.queued"
    STARTED = "job.started"  # a claim: attempt, worker
    PHASE = "job.phase"
    PROGRESS = "job.progress"
    METRICS = "job.metrics"  # a quick evaluation in training
    CHECKPOINT = "job.checkpoint"
    RELEASED = "job.released"  # a clean deploy: back to the queue, at no cost
    LOST = "job.lost"  # an attempt failed: back to the queue, one failure more
    RETRIED = "job.retried"  # the user asked for another go
    CORRECTED = "job.corrected"  # its case: the names of the fields that changed
    CANCELLING = "job.cancelling"
    CANCELLED = "job.cancelled"
    FAILED = "job.failed"
    SUCCEEDED = "job.succeeded"


MOVES: Mapping[tuple[Status, Status], frozenset[EventType]] = MappingProxyType(
    {
        (Status.QUEUED, Status.RUNNING): frozenset({EventType.STARTED}),
        (Status.QUEUED, Status.CANCELLED): frozenset({EventType.CANCELLED}),
        (Status.RUNNING, Status.QUEUED): frozenset({EventType.RELEASED, EventType.LOST}),
        (Status.RUNNING, Status.CANCELLING): frozenset({EventType.CANCELLING}),
        (Status.RUNNING, Status.SUCCEEDED): frozenset({EventType.SUCCEEDED}),
        (Status.RUNNING, Status.FAILED): frozenset({EventType.FAILED}),
        (Status.CANCELLING, Status.CANCELLED): frozenset({EventType.CANCELLED}),
        (Status.FAILED, Status.QUEUED): frozenset({EventType.RETRIED}),
        (Status.CANCELLED, Status.QUEUED): frozenset({EventType.RETRIED}),
    }
)
"""Every legal move, with the events that may tell of it. A new job starts as queued, with ``job.queued``."""

TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
"""No worker holds the job, and none will unless the user retries it."""

HELD = frozenset({Status.RUNNING, Status.CANCELLING})
"""A worker holds the job's lease."""

REPORTS = frozenset({EventType.PROGRESS, EventType.METRICS, EventType.CHECKPOINT})
"""What a worker may append while it runs, without a move."""


class IllegalMove(RuntimeError):
    """A change of status that is not in ``MOVES``: a defect in the caller, never a user's mistake."""


def check_move(before: Status, after: Status, event: EventType | None = None) -> None:
    """Raise :class:`IllegalMove` unless ``before -> after`` is in ``MOVES`` and, if given, emits ``event``."""
    events = MOVES.get((before, after))
    if events is None:
        raise IllegalMove(f"a job cannot move from {before} to {after}")
    if event is not None and event not in events:
        raise IllegalMove(f"{event} does not tell of a move from {before} to {after}")
