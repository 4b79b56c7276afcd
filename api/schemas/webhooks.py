"""Webhooks and their deliveries, as the service shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from api.schemas.common import Input, Output, PageQuery, storable
from jobs.deliveries import Delivery, DeliveryStatus
from jobs.states import EventType
from jobs.webhooks import ENDS, FINISHED, MOST_OVERLAP, TOLD, DisabledBecause, Webhook, named_events
from sfd_core.suggestions import unknown
from telling.addresses import MAX_URL
from telling.kinds import KINDS

DAY_HOURS = 24


def _known_kind(name: str) -> str:
    if name not in KINDS:
        raise ValueError(unknown("kind", name, list(KINDS)))
    return name


def _known_events(names: Sequence[str]) -> list[str]:
    return [str(event) for event in named_events(names)]


KindName = Annotated[
    str,
    AfterValidator(_known_kind),
    WithJsonSchema({"type": "string", "enum": list(KINDS)}),
    Field(description=" ".join(f"`{kind.name}`: {kind.summary}." for kind in KINDS.values())),
]
_EVENT = {"type": "string", "enum": [FINISHED, *TOLD]}
EventNames = Annotated[
    list[str],
    Field(min_length=1, max_length=10),
    AfterValidator(_known_events),
    WithJsonSchema({"type": "array", "items": _EVENT, "minItems": 1, "maxItems": 10}),
]
Description = Annotated[str, Field(max_length=500), AfterValidator(storable)]
Url = Annotated[
    str,
    Field(
        max_length=MAX_URL,
        description="Where it is told: `https://...`, of an `email` `mailto:ops@example.org`. Addresses that are not "
        "of the public internet are refused, unless the service's operator allows them.",
    ),
]


class NewWebhookRequest(Input):
    """A webhook to be made."""

    kind: KindName = "webhook"
    url: Url
    events: EventNames = Field(
        default_factory=lambda: [str(event) for event in ENDS],
        description="What it is told. `job.finished` stands for the three ends of a job, which are the default.",
    )
    description: Description = Field(default="", description="Your own words, given back as they are.")


class WebhookChange(Input):
    """A change of a webhook. What is left out stays."""

    url: Url | None = None
    events: EventNames | None = Field(default=None, description="All that it is told from now on.")
    description: Description | None = None
    disabled: bool | None = Field(
        default=None,
        description="`true`: it is told nothing any more, and what waits has failed. `false`: it is told again.",
    )


class Rotation(Input):
    """A secret that is to be replaced."""

    overlap_hours: Annotated[float, Field(ge=0, le=MOST_OVERLAP.days * DAY_HOURS, allow_inf_nan=False)] = Field(
        default=DAY_HOURS,
        description="For so long deliveries are signed with both secrets. 0: the old one ends at once.",
    )


class WebhookLinks(Output):
    """Links: paths on this service."""

    self: str
    deliveries: str


class WebhookObject(Output):
    """A webhook: where it is told what becomes of jobs."""

    id: str = Field(examples=["hook_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])
    object: Literal["webhook"] = "webhook"
    kind: KindName
    url: str = Field(
        description="Where it is told: `https://hooks.example/...`, as what follows the host may be a secret."
    )
    job: str | None = Field(description="The one job that it is told of. Null: every job of the tenant.")
    events: list[EventType]
    description: str
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    disabled_because: DisabledBecause | None = Field(
        description="`asked`: you disabled it. `gone`: its receiver answered 410."
    )
    secret_before_until: datetime | None = Field(
        description="Until then deliveries are signed with the secret before, too."
    )
    secret: str | None = Field(
        description="What to verify signatures with. In the answer that made it alone, else null; of a kind that signs "
        "nothing always null."
    )
    links: WebhookLinks

    @classmethod
    def of(cls, hook: Webhook, secret: str | None = None) -> WebhookObject:
        """Describe a webhook as its tenant sees it."""
        path = f"/v1/webhooks/{hook.id}"
        return cls(
            id=hook.id,
            kind=hook.kind,
            url=hook.shown_url,
            job=hook.job_id,
            events=list(hook.events),
            description=hook.description,
            created_at=hook.created_at,
            updated_at=hook.updated_at,
            disabled_at=hook.disabled_at,
            disabled_because=hook.disabled_because,
            secret_before_until=hook.secret_before_until,
            secret=secret,
            links=WebhookLinks(self=path, deliveries=f"{path}/deliveries"),
        )


class WebhooksQuery(PageQuery):
    """The webhooks that are asked for."""

    job: Annotated[str | None, Field(max_length=100)] = Field(
        default=None, description="Only the webhook of this job; by default those that are told of every job."
    )


class DeliveriesQuery(PageQuery):
    """The deliveries that are asked for."""

    status: DeliveryStatus | None = Field(default=None, description="Only deliveries with this status.")


class DeliveryObject(Output):
    """One event as a webhook is told it."""

    id: str = Field(
        description="The `webhook-id` of every try and every redelivery.",
        examples=["dlv_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"],
    )
    object: Literal["delivery"] = "delivery"
    webhook: str
    job: str
    event: EventType
    seq: int = Field(description="Of the event among its job's.")
    status: DeliveryStatus = Field(description="`failed`: no further try is made, unless it is asked for.")
    tries: int
    response: int | None = Field(description="The status that the last try was answered with.")
    error: str | None = Field(description="Why the last try was no success.")
    created_at: datetime
    tried_at: datetime | None
    next_try_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryObject:
        """Describe a delivery as its tenant sees it."""
        shown: dict[str, Any] = {
            name: getattr(delivery, name)
            for name in ("id", "seq", "status", "tries", "response", "error", "created_at", "tried_at")
        }
        shown |= {"next_try_at": delivery.next_try_at, "ended_at": delivery.ended_at}
        return cls(webhook=delivery.webhook_id, job=delivery.job_id, event=delivery.type, **shown)
