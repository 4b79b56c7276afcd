"""For whoever watches the service: is it alive, can it work, and how is it doing."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from starlette.responses import Response

from api.auth import Watcher
from api.logs import log
from api.routes.documented import errors, open_errors
from api.schemas.common import Health
from api.services import Services, Use
from jobs.database import head, revision

router = APIRouter(tags=["Operations"])


@router.get("/livez", operation_id="livez", summary="Is the process alive?", responses=open_errors("internal"))
async def livez() -> Health:
    """Ask nothing of database or broker: restart the process only where this fails."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Can the service work?",
    responses={503: {"model": Health, "description": "The database does not answer, or its schema is another."}},
)
def readyz(use: Use, response: Response) -> Health:
    """Ask database and broker. A broker that is down does not make the service unready: jobs are still stored
    and run when it is back."""
    checks = {"database": _database(use), "broker": _broker(use)}
    response.headers["Cache-Control"] = "no-store"
    if checks["database"] != "ok":
        response.status_code = 503
        response.headers["Retry-After"] = "2"
        return Health(status="unavailable", checks=checks)
    return Health(status="ok" if checks["broker"] == "ok" else "degraded", checks=checks)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **errors(),
    },
)
def metrics(who: Watcher, use: Use) -> Response:
    """Show requests, latency, jobs by status, messages that wait in the broker and in the outbox: of the whole service,
    so to a key with the scope `metrics` alone."""
    return Response(use.metrics.text(), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_LATEST)


def _database(use: Services) -> str:
    try:
        if use.schema_seen.is_set():
            with use.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            return "ok"
        found, wanted = revision(use.settings.require_database()), head()
    except Exception as error:  # noqa: BLE001 - whatever it is, the database cannot be used; the log has the cause
        log.warning("not_ready", part="database", error=type(error).__name__, cause=str(error)[:300])
        return "does not answer"
    if found != wanted:
        return "its schema is another than this version's: run `lethe migrate`"
    use.schema_seen.set()
    return "ok"


def _broker(use: Services) -> str:
    try:
        use.broker.ping()
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("degraded", part="broker", error=type(error).__name__)
        return "does not answer"
    return "ok"
