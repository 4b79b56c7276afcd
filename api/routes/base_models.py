"""What can be unlearned from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.auth import Reader
from api.problems import Problem
from api.routes.documented import errors
from api.schemas.base_models import BaseModelObject
from api.schemas.common import ListOf
from api.services import Use
from sfd_core.suggestions import unknown

router = APIRouter(prefix="/v1/base-models", tags=["Base models"])


@router.get("", operation_id="list_base_models", summary="List the base models", responses=errors())
def list_base_models(who: Reader, use: Use) -> ListOf[BaseModelObject]:
    """List every registered base model, by name, with its concepts, licence, digest and own figures."""
    models = [BaseModelObject.of(use.models[name]) for name in sorted(use.models)]
    return ListOf(data=models, has_more=False, next=None)


@router.get(
    "/{name}",
    operation_id="get_base_model",
    summary="Get a base model",
    responses=errors("not_found", "invalid_request"),
)
def get_base_model(name: Annotated[str, Path(examples=["fashion"])], who: Reader, use: Use) -> BaseModelObject:
    """Show one base model."""
    model = use.models.get(name)
    if model is None:
        raise Problem("not_found", unknown("base model", name, sorted(use.models)))
    return BaseModelObject.of(model)
