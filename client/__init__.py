"""The Python client of a Lethe service::

    from client import Lethe

    with Lethe("http://127.0.0.1:8321") as lethe:
        job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=6400)
        job = lethe.wait(job.id, on_progress=print)
        if job.passed:
            lethe.download(job.generator, "generator/")

It knows HTTP and nothing else of Lethe.
"""

from client.answers import (
    Advice,
    AuditEntry,
    BaseModel,
    Case,
    Decision,
    Delivery,
    Estimate,
    Event,
    Forget,
    Generator,
    Job,
    JobError,
    JobWebhook,
    Progress,
    Release,
    Tombstone,
    Webhook,
)
from client.errors import (
    ApiError,
    BadAnswer,
    Conflict,
    Forbidden,
    Gone,
    InvalidRequest,
    LetheError,
    NotFound,
    Refused,
    ServerError,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unreachable,
    WrongField,
)
from client.lethe import DEFAULT_URL, Lethe
from client.reports import Interval, Report

__all__ = [
    "DEFAULT_URL",
    "Advice",
    "ApiError",
    "AuditEntry",
    "BadAnswer",
    "BaseModel",
    "Case",
    "Conflict",
    "Decision",
    "Delivery",
    "Estimate",
    "Event",
    "Forbidden",
    "Forget",
    "Generator",
    "Gone",
    "Interval",
    "InvalidRequest",
    "Job",
    "JobError",
    "JobWebhook",
    "Lethe",
    "LetheError",
    "NotFound",
    "Progress",
    "Refused",
    "Release",
    "Report",
    "ServerError",
    "Tombstone",
    "TooMany",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "Webhook",
    "WrongField",
]
