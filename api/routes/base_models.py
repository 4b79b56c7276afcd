"""What can be unlearned from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.auth import Reader
from api.problems import Problem
from api.routes.documented import errors
from api.schemas.base_models import BaseModelObject, BaseModelsList, RefusedModel
from api.services import Use

router = APIRouter(prefix="/v1/base-models", tags=["Base models"])


@router.get("", operation_id="list_base_models", summary="List the base models", responses=errors())
def list_base_models(who: Reader, use: Use) -> BaseModelsList:
    """List every registered base model, by name, with its concepts, licence, digest and own figures; and what is
    refused of the models that the service was given, with the reason."""
    known = dict(use.models)
    return BaseModelsList(
        data=[BaseModelObject.of(known[name]) for name in sorted(known)],
        refused=[RefusedModel(name=name, reason=reason) for name, reason in sorted(use.models.refused.items())],
        has_more=False,
        next=None,
    )


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
        raise Problem("not_found", use.models.missing(name))
    return BaseModelObject.of(model)
