"""The tenant of whoever asks: its limits, and what it uses of them."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Reader
from api.routes.documented import errors
from api.schemas.tenants import TenantObject
from api.services import Use
from jobs import quotas

router = APIRouter(prefix="/v1/tenant", tags=["Tenant"])


@router.get("", operation_id="get_tenant", summary="Get your tenant", responses=errors())
def get_tenant(who: Reader, use: Use) -> TenantObject:
    """Show the tenant of the API key: what it may use, and what it uses now."""
    return TenantObject.of(who.tenant, *quotas.usage(use.engine, who.tenant))
