"""The catalogue of errors: every code that a client can meet, once, with what it means for whoever meets it.

The API turns a :class:`LetheError` into a problem document by its code alone; a job that failed carries one of
``JOB_ERRORS`` in its ``error``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar


@dataclass(frozen=True)
class ErrorKind:
    """One code. ``status``: the HTTP status that suits it. ``retryable``: the same call may succeed later."""

    code: str
    status: int
    title: str
    retryable: bool = False


_KINDS = (
    ErrorKind("unknown_base_model", 422, "No base model of this name is registered"),
    ErrorKind("invalid_request", 422, "The request is not valid"),
    ErrorKind("idempotency_conflict", 422, "The Idempotency-Key was used with another body"),
    ErrorKind("job_not_found", 404, "There is no such job"),
    ErrorKind("deleted", 410, "It was deleted"),
    ErrorKind("tombstone_not_found", 404, "There is no tombstone of this"),
    ErrorKind("job_conflict", 409, "The job's status does not allow this"),
    ErrorKind("generator_not_found", 404, "There is no such generator"),
    ErrorKind("generator_withheld", 409, "The generator did not pass its evaluation and is withheld"),
    ErrorKind("generator_not_withheld", 409, "The generator is not withheld"),
    ErrorKind("signing_key_missing", 409, "The service has no key to sign with"),
    ErrorKind("record_not_trusted", 409, "The generator's record is not what the service signed"),
    ErrorKind("report_not_ready", 409, "The job has no report"),
    ErrorKind("decision_not_ready", 409, "The job is not over"),
    ErrorKind("key_not_found", 404, "There is no such API key"),
    ErrorKind("key_conflict", 409, "The API key's state does not allow this"),
    ErrorKind("tenant_not_found", 404, "There is no such tenant"),
    ErrorKind("tenant_exists", 409, "There is a tenant of this name"),
    ErrorKind("webhook_not_found", 404, "There is no such webhook"),
    ErrorKind("webhook_conflict", 409, "The webhook's state does not allow this"),
    ErrorKind("delivery_not_found", 404, "There is no such delivery"),
    ErrorKind("bad_cursor", 422, "The cursor is not one that this service gave"),
    ErrorKind("unauthenticated", 401, "An API key is needed"),
    ErrorKind("forbidden", 403, "The API key does not allow this"),
    ErrorKind("not_found", 404, "There is nothing here"),
    ErrorKind("too_large", 413, "The request is too large"),
    ErrorKind("too_many", 429, "Too many requests", retryable=True),
    ErrorKind("quota_exceeded", 429, "A quota of the tenant is used up", retryable=True),
    ErrorKind("samples_unavailable", 503, "No worker answered in time", retryable=True),
    ErrorKind("service_unavailable", 503, "A part of the service is down", retryable=True),
    ErrorKind("artifact_corrupt", 500, "A stored file does not have its digest"),
    ErrorKind("internal", 500, "Something went wrong inside the service", retryable=True),
)

CATALOGUE: Mapping[str, ErrorKind] = MappingProxyType({kind.code: kind for kind in _KINDS})
"""What a call can answer, by code."""


@dataclass(frozen=True)
class JobErrorKind:
    """Why an attempt fails. ``retryable``: another attempt at the same request may go better. ``counted``: it is one of
    the failures that a job may have."""

    code: str
    title: str
    retryable: bool = False
    counted: bool = True


_JOB_KINDS = (
    JobErrorKind("invalid_request", "The request cannot be run on this base model"),
    JobErrorKind("model_refused", "The base model, or an evaluator, cannot be used"),
    JobErrorKind("model_unavailable", "The base model cannot be fetched now", retryable=True),
    JobErrorKind("training_diverged", "A loss or a weight is no longer finite"),
    JobErrorKind("training_stalled", "The run made no progress", retryable=True),
    JobErrorKind("training_crashed", "The training process ended without saying why", retryable=True),
    JobErrorKind("run_failed", "The run stopped with an error that another attempt would meet again"),
    JobErrorKind("out_of_memory", "The memory did not suffice, nor with half the micro-batch"),
    JobErrorKind("storage_full", "A disk of the service is full; jobs wait for room", retryable=True, counted=False),
    JobErrorKind("worker_lost", "The worker was not heard of until its lease ran out", retryable=True),
    JobErrorKind("internal", "Something went wrong inside the service", retryable=True),
)

JOB_ERRORS: Mapping[str, JobErrorKind] = MappingProxyType({kind.code: kind for kind in _JOB_KINDS})
"""Why a job fails, by code."""


class LetheError(Exception):
    """An error of the catalogue. ``message`` is for people and says what to do; ``extra`` is for programs."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra

    @property
    def kind(self) -> ErrorKind:
        """The catalogue's entry of this error."""
        return CATALOGUE[self.code]


class UnstorableRequest(LetheError):
    """Text that Postgres cannot hold: a NUL character or half a surrogate pair."""

    code = "invalid_request"


class IdempotencyConflict(LetheError):
    """The key was used before with another body."""

    code = "idempotency_conflict"


class JobNotFound(LetheError):
    """No such job, or another tenant's."""

    code = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id!r}")


class Deleted(LetheError):
    """A job or a generator that was deleted. ``tombstone``: what is kept of it (``jobs.tombstones.Tombstone``)."""

    code = "deleted"

    def __init__(self, message: str, tombstone: Any) -> None:
        super().__init__(message)
        self.tombstone = tombstone


class TombstoneNotFound(LetheError):
    """Nothing of this id was deleted, or it was another tenant's."""

    code = "tombstone_not_found"

    def __init__(self, deleted: str) -> None:
        super().__init__(f"no job and no generator {deleted!r} was deleted")


class JobConflict(LetheError):
    """The job's status does not allow what was asked; ``extra["status"]`` is that status."""

    code = "job_conflict"


class GeneratorNotFound(LetheError):
    """No such generator, or another tenant's."""

    code = "generator_not_found"

    def __init__(self, generator_id: str) -> None:
        super().__init__(f"there is no generator {generator_id!r}")


class GeneratorNotWithheld(LetheError):
    """Only a withheld generator can be released: this one passed, or somebody has released it before."""

    code = "generator_not_withheld"


class SigningKeyMissing(LetheError):
    """A signed record is not replaced by one without a signature."""

    code = "signing_key_missing"


class RecordNotTrusted(LetheError):
    """A record that no known key signed is not replaced by one that the service signs."""

    code = "record_not_trusted"


class ReportNotReady(LetheError):
    """The job has not been evaluated, or never will be."""

    code = "report_not_ready"


class KeyNotFound(LetheError):
    """No such API key, or another tenant's."""

    code = "key_not_found"


class KeyConflict(LetheError):
    """The API key has ended or was replaced, or several have its name."""

    code = "key_conflict"


class TenantNotFound(LetheError):
    """No such tenant."""

    code = "tenant_not_found"


class TenantExists(LetheError):
    """There is a tenant of this name."""

    code = "tenant_exists"


class QuotaExceeded(LetheError):
    """A quota of the tenant is used up. ``quotas``: each that is (``jobs.quotas.Quota``); ``retry_after``: when to come
    back, in seconds."""

    code = "quota_exceeded"

    def __init__(self, message: str, quotas: Sequence[Any], retry_after: int) -> None:
        super().__init__(message)
        self.quotas = tuple(quotas)
        self.retry_after = retry_after


class WebhookNotFound(LetheError):
    """No such webhook, or another tenant's."""

    code = "webhook_not_found"

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"there is no webhook {webhook_id!r}")


class WebhookConflict(LetheError):
    """The webhook is disabled, has no secret, or the tenant has as many as it may."""

    code = "webhook_conflict"


class DeliveryNotFound(LetheError):
    """The webhook has no such delivery."""

    code = "delivery_not_found"

    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"the webhook has no delivery {delivery_id!r}")


class BadCursor(LetheError):
    """An ``after`` that this service did not give."""

    code = "bad_cursor"


class InvalidKey(LetheError):
    """An API key that is unknown, expired or revoked; ``extra["reason"]`` says which."""

    code = "unauthenticated"


class SampleTimeout(LetheError):
    """No sampler answered within the time allowed."""

    code = "samples_unavailable"


class BrokerUnavailable(LetheError):
    """The broker does not answer."""

    code = "service_unavailable"


class ArtifactCorrupt(LetheError):
    """A stored file does not have the digest that names it."""

    code = "artifact_corrupt"


class LeaseLost(Exception):
    """A worker's write was refused: its lease ran out, or a newer attempt holds the job. It must stop at once, and
    write nothing more. Not in the catalogue, because no client ever meets it."""
