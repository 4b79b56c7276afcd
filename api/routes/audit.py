"""The audit log of the tenant that asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Administrator
from api.routes.documented import errors
from api.schemas.audit import AuditEntryObject, AuditQuery
from api.schemas.common import ListOf
from api.services import Use

router = APIRouter(prefix="/v1/audit", tags=["Audit"])


@router.get(
    "", operation_id="list_audit_log", summary="List the audit log", responses=errors("invalid_request", "bad_cursor")
)
def list_audit_log(query: Annotated[AuditQuery, Query()], who: Administrator, use: Use) -> ListOf[AuditEntryObject]:
    """List who did what, newest first unless `order` says otherwise. `lethe audit export` keeps all of it, and
    `lethe audit verify` checks what was kept. Needs the scope `admin`."""
    oldest = query.order == "oldest"
    page = use.audit.list(who.tenant, query.wanted(), query.limit, query.after, oldest_first=oldest)
    return ListOf(data=[AuditEntryObject.of(each) for each in page.data], has_more=page.has_more, next=page.next)
