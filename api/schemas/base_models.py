"""A base model, as the service shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from api.schemas.common import JsonObject, ListOf, Output
from sfd_core.base_model.manifest import BaseModel, JudgeInfo
from sfd_core.evaluation.poor_base import base_accuracy, hardly_seen


class ImageObject(Output):
    """The format of the model's images."""

    channels: int
    height: int
    width: int


class JudgeObject(Output):
    """The classifier that says which concept is in an image. It never took part in the training."""

    name: str
    accuracy: float | None = Field(description="On real images that it was not trained on. Null: not measured.")
    accuracy_images: int = Field(description="How many those are.")
    by_concept: dict[str, float] = Field(description="Its accuracy on real images of each concept, where measured.")
    digest: str

    @classmethod
    def of(cls, judge: JudgeInfo | None, concepts: Sequence[str]) -> JudgeObject | None:
        """Describe a model's judge, if it has one."""
        if judge is None:
            return None
        return cls(
            name=judge.name,
            accuracy=judge.accuracy,
            accuracy_images=judge.accuracy_images,
            by_concept=dict(zip(concepts, judge.by_concept, strict=bool(judge.by_concept))),
            digest=judge.digest,
        )


class OwnImages(Output):
    """The model's own images, as its judges see them; where there are two, by the one that sees less."""

    accuracy: float = Field(description="Share that shows what was asked.")
    images: int = Field(description="How many were judged. They are stored with the model.")
    by_concept: dict[str, float] = Field(description="The same of each concept.")
    too_few: list[str] = Field(
        description="Concepts that are shown in too few of them for a verdict on whether they are forgotten: with "
        "95 % confidence it is not known to be half."
    )

    @classmethod
    def of(cls, model: BaseModel) -> OwnImages | None:
        """Describe what is stored with a model, if anything is."""
        known = base_accuracy(model)
        whole = known.of(model.concepts) if known is not None else None
        if known is None or whole is None:
            return None
        shares = {name: share for name in model.concepts if (share := known.of([name])) is not None}
        return cls(
            accuracy=whole.value,
            images=whole.n,
            by_concept={name: share.value for name, share in shares.items()},
            too_few=[name for name, share in shares.items() if hardly_seen(share)],
        )


class DomainObject(Output):
    """One kind of concept that a text-to-image model knows. A job forgets concepts of one of them, and is judged in
    it; the judges of the others say whether they are intact."""

    concepts: list[str]
    judge: JudgeObject | None
    own_images: OwnImages | None = Field(description="Null where none are stored.")
    teacher: JsonObject = Field(description="The model's own figures in this domain.")


class BaseModelObject(Output):
    """A model that can be unlearned from."""

    name: str = Field(examples=["fashion"])
    object: Literal["base_model"] = "base_model"
    title: str
    family: str
    license: str
    data: str = Field(description="What it was trained on.")
    digest: str = Field(description="Of every file that a run reads.")
    concepts: list[str] = Field(description="Those that it knows by name; a text-to-image model forgets others, too.")
    image: ImageObject
    judge: JudgeObject | None = Field(
        description="Null where it has none; of a text-to-image model its domains have judges, or none."
    )
    own_images: OwnImages | None = Field(description="Null where none are stored; its domains may have some.")
    teacher: JsonObject = Field(description="Its own figures at its own sampler, measured once.")
    domains: dict[str, DomainObject] = Field(description="Of a text-to-image model whose concepts are judged.")
    templates: list[str] = Field(
        description="Of a text-to-image model with a vocabulary: the prompts that ask for its concepts, a domain in "
        "each pair of braces.",
    )
    links: dict[str, str]

    @classmethod
    def of(cls, model: BaseModel) -> BaseModelObject:
        """Describe a registered model; where its folder lies is nobody's business."""
        views = [model.view(name) for name in model.domains]
        return cls(
            name=model.name,
            title=model.title,
            family=model.family,
            license=model.license,
            data=model.data,
            digest=model.digest,
            concepts=list(model.concepts),
            image=ImageObject(channels=model.image.channels, height=model.image.height, width=model.image.width),
            judge=JudgeObject.of(model.judge, model.concepts),
            own_images=OwnImages.of(model),
            teacher=dict(model.figures),
            domains={
                str(view.domain): DomainObject(
                    concepts=list(view.concepts),
                    judge=JudgeObject.of(view.judge, view.concepts),
                    own_images=OwnImages.of(view),
                    teacher=dict(view.figures),
                )
                for view in views
            },
            templates=list(model.vocabulary.templates) if model.vocabulary is not None else [],
            links={"self": f"/v1/base-models/{model.name}"},
        )


class RefusedModel(Output):
    """A folder of the service's models that is none."""

    name: str = Field(description="Of its folder.", examples=["cars"])
    reason: str = Field(description="What is wrong with it: file, field, and what would be right.")


class BaseModelsList(ListOf[BaseModelObject]):
    """The base models, and what is refused of them."""

    refused: list[RefusedModel] = Field(description="Mended, a model is there without a restart.")
