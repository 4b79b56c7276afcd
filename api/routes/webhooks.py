"""Webhooks: who is told of what becomes of jobs; and what became of that."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.auth import Administrator
from api.problems import Wrong, invalid
from api.routes.documented import errors
from api.schemas.common import ListOf
from api.schemas.webhooks import (
    DeliveriesQuery,
    DeliveryObject,
    NewWebhookRequest,
    Rotation,
    WebhookChange,
    WebhookObject,
    WebhooksQuery,
)
from api.services import Use
from api.webhooks import new_webhook, sealed_url
from jobs.ids import is_id
from jobs.webhooks import Change, named_events
from telling.addresses import AddressRefused
from telling.kinds.webhook import new_secret

router = APIRouter(prefix="/v1/webhooks", tags=["Webhooks"])

WebhookId = Annotated[str, Path(description="A webhook's id.", examples=["hook_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])]
DeliveryId = Annotated[str, Path(description="A delivery's id.", examples=["dlv_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])]


@router.post(
    "",
    status_code=201,
    operation_id="create_webhook",
    summary="Make a webhook",
    responses=errors("malformed", "too_large", "unsupported_media_type", "invalid_request", "webhook_conflict"),
)
def create_webhook(body: NewWebhookRequest, who: Administrator, use: Use, response: Response) -> WebhookObject:
    """Make a webhook that is told of every job of the tenant. Its secret is in this answer and in no other."""
    try:
        new, secret = new_webhook(use, body.kind, body.url, body.events, body.description)
    except AddressRefused as error:
        raise invalid([Wrong("/url", str(error))]) from None
    shown = WebhookObject.of(use.webhooks.create(who.tenant, new, who.actor), secret)
    response.headers["Location"] = shown.links.self
    return shown


@router.get(
    "", operation_id="list_webhooks", summary="List webhooks", responses=errors("invalid_request", "bad_cursor")
)
def list_webhooks(query: Annotated[WebhooksQuery, Query()], who: Administrator, use: Use) -> ListOf[WebhookObject]:
    """List webhooks, newest first: those that are told of every job, or that of one job."""
    if query.job is not None and not is_id("job", query.job):
        return ListOf(data=[], has_more=False, next=None)
    page = use.webhooks.list(who.tenant, query.job, query.limit, query.after)
    return ListOf(data=[WebhookObject.of(hook) for hook in page.data], has_more=page.has_more, next=page.next)


@router.get(
    "/{webhook_id}",
    operation_id="get_webhook",
    summary="Get a webhook",
    responses=errors("webhook_not_found", "invalid_request"),
)
def get_webhook(webhook_id: WebhookId, who: Administrator, use: Use) -> WebhookObject:
    """Show one webhook."""
    return WebhookObject.of(use.webhooks.get(who.tenant, webhook_id))


@router.patch(
    "/{webhook_id}",
    operation_id="update_webhook",
    summary="Change a webhook",
    responses=errors("malformed", "too_large", "unsupported_media_type", "webhook_not_found", "invalid_request"),
)
def update_webhook(webhook_id: WebhookId, body: WebhookChange, who: Administrator, use: Use) -> WebhookObject:
    """Change a webhook, effective with its next delivery. Its secret stays."""
    shown_url = sealed = None
    kind = use.webhooks.get(who.tenant, webhook_id).kind
    if body.url is not None:
        try:
            shown_url, sealed = sealed_url(use, kind, body.url)
        except AddressRefused as error:
            raise invalid([Wrong("/url", str(error))]) from None
    events = None if body.events is None else named_events(body.events)
    change = Change(shown_url, sealed, events, body.description, body.disabled)
    return WebhookObject.of(use.webhooks.update(who.tenant, webhook_id, change, who.actor))


@router.delete(
    "/{webhook_id}",
    status_code=204,
    operation_id="delete_webhook",
    summary="Delete a webhook",
    responses=errors("webhook_not_found", "invalid_request"),
)
def delete_webhook(webhook_id: WebhookId, who: Administrator, use: Use) -> Response:
    """Delete a webhook with its URL and secret. What was not delivered will not be."""
    use.webhooks.delete(who.tenant, webhook_id, who.actor)
    return Response(status_code=204)


@router.post(
    "/{webhook_id}/rotate",
    operation_id="rotate_webhook_secret",
    summary="Replace a webhook's secret",
    responses=errors(
        "malformed",
        "too_large",
        "unsupported_media_type",
        "webhook_not_found",
        "webhook_conflict",
        "invalid_request",
    ),
)
def rotate_webhook_secret(webhook_id: WebhookId, body: Rotation, who: Administrator, use: Use) -> WebhookObject:
    """Make a new secret, which is in this answer and in no other. For a while deliveries carry two signatures, one by
    each secret, so that receivers can be changed in between."""
    secret = new_secret()
    overlap = timedelta(hours=body.overlap_hours)
    rotated = use.webhooks.rotate(who.tenant, webhook_id, use.sealer.seal(secret), overlap, who.actor)
    return WebhookObject.of(rotated, secret)


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="list_deliveries",
    summary="List a webhook's deliveries",
    responses=errors("webhook_not_found", "invalid_request", "bad_cursor"),
)
def list_deliveries(
    webhook_id: WebhookId, query: Annotated[DeliveriesQuery, Query()], who: Administrator, use: Use
) -> ListOf[DeliveryObject]:
    """List what the webhook was told or is to be told, newest first, with what came of it."""
    use.webhooks.get(who.tenant, webhook_id)
    page = use.deliveries.list(who.tenant, webhook_id, query.status, query.limit, query.after)
    return ListOf(data=[DeliveryObject.of(each) for each in page.data], has_more=page.has_more, next=page.next)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    operation_id="redeliver",
    summary="Deliver again",
    responses=errors("webhook_not_found", "delivery_not_found", "webhook_conflict", "invalid_request"),
)
def redeliver(webhook_id: WebhookId, delivery_id: DeliveryId, who: Administrator, use: Use) -> DeliveryObject:
    """Send a delivery again now, with the same id and, where it fails, as many further tries as a new one has."""
    use.webhooks.get(who.tenant, webhook_id)
    delivery = use.deliveries.redeliver(who.tenant, webhook_id, delivery_id, who.actor)
    use.sender.nudge()
    return DeliveryObject.of(delivery)
