"""A base model, as the service shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.common import JsonObject, Output
from sfd_core.manifest import BaseModel


class ImageObject(Output):
    """What an image of the model is."""

    channels: int
    height: int
    width: int


class JudgeObject(Output):
    """The classifier that says which concept is in an image. It never took part in the training."""

    name: str
    accuracy: float = Field(description="On real images that it was not trained on.")
    accuracy_images: int = Field(description="How many those are.")
    by_concept: dict[str, float] = Field(description="Its accuracy on real images of each concept.")
    digest: str


class BaseModelObject(Output):
    """A model that can be unlearned from."""

    name: str = Field(examples=["fashion"])
    object: Literal["base_model"] = "base_model"
    title: str
    family: str
    license: str
    data: str = Field(description="What it was trained on.")
    digest: str = Field(description="Of every file that a run reads.")
    concepts: list[str]
    image: ImageObject
    judge: JudgeObject
    teacher: JsonObject = Field(description="Its own figures at its own sampler, measured once.")
    links: dict[str, str]

    @classmethod
    def of(cls, model: BaseModel) -> BaseModelObject:
        """A registered model; where its folder lies is nobody's business."""
        judge = model.judge
        return cls(
            name=model.name,
            title=model.title,
            family=model.family,
            license=model.license,
            data=model.data,
            digest=model.digest,
            concepts=list(model.concepts),
            image=ImageObject(channels=model.image.channels, height=model.image.height, width=model.image.width),
            judge=JudgeObject(
                name=judge.name,
                accuracy=judge.accuracy,
                accuracy_images=judge.accuracy_images,
                by_concept=dict(zip(model.concepts, judge.by_concept, strict=True)),
                digest=judge.digest,
            ),
            teacher=dict(model.teacher),
            links={"self": f"/v1/base-models/{model.name}"},
        )
