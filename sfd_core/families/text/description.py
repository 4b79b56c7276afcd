"""The plain half of a family of text-to-image models. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sfd_core.base_model.hub_layout import HubLayout
from sfd_core.base_model.manifest import BaseModel, digest_of
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.families.description import Description
from sfd_core.families.text.layout import PipelineLayout
from sfd_core.families.text.unread import check_plan
from sfd_core.request.recipe import Recipe


def text_description(
    name: str, layouts: Sequence[PipelineLayout], recipe: Recipe, image: ImageFormat, **said: Any
) -> Description:
    """Describe the family ``name``, whose models are pipelines of one of ``layouts``. ``image``: what its models mostly
    make; ``said``: whatever else :class:`Description` has."""
    return Description(
        name,
        conditions="prompts",
        recipe=recipe,
        pipelines=tuple(dict.fromkeys(layout.pipeline for layout in layouts)),
        check_plan=partial(check_plan, layouts),
        adapters=("to_q", "to_k", "to_v", "to_out.0"),  # projections of attention, as diffusers names them
        hubs=tuple(_hub(name, layout, image) for layout in layouts),
        **said,
    )


def _hub(name: str, layout: PipelineLayout, image: ImageFormat) -> HubLayout:
    return HubLayout(
        pipeline=layout.pipeline,
        without=layout.without,
        family=name,
        configs=layout.configs,
        weights=layout.weights,
        tokenizers={folder: kind.files for folder, kind in layout.tokenizers.items()},
        check=layout.check,
        image=layout.image,
        unfetched=partial(unfetched, name, image),
    )


def unfetched(family: str, image: ImageFormat, name: str, title: str) -> BaseModel:
    """Make a model of which nothing is known but its name, as of a hub's before it is fetched: no files, no domains.
    ``image``: what it makes, which a run holds against the pipeline."""
    return BaseModel(
        name=name,
        title=title,
        folder=Path(),
        family=family,
        license="as the hub's page says",
        data="as the hub's page says",
        concepts=(),
        image=image,
        judge=None,
        reference=None,
        figures={},
        files={},
        digest=digest_of({}),
    )
