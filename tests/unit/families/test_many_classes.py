"""A generator of more than ten classes: JSON sorts "10" before "2", and a class must keep its label."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from diffusers import UNet2DModel

from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline
from sfd_core.families.parameterization import linear_schedule

NAMES = [f"kind {i}" for i in range(12)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    unet = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        num_class_embeds=len(NAMES),
        block_out_channels=(8,),
        norm_num_groups=2,
        layers_per_block=1,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    id2label = {str(i): name for i, name in enumerate(NAMES)}
    pipe = ClassConditionalPipeline(unet, linear_schedule().one_step_scheduler(440), id2label)
    OneStepGenerator(pipe, 440).save(tmp_path)
    return tmp_path


def test_twelve_classes_keep_their_labels(folder: Path) -> None:
    assert list(json.loads((folder / "model_index.json").read_text())["id2label"])[1:3] == ["1", "10"], "sorted as text"
    generator = OneStepGenerator.load(folder)
    assert generator.concepts == tuple(NAMES)
    assert [generator.label(name) for name in NAMES] == list(range(12))


@pytest.mark.parametrize(
    "id2label", [{"0": "a", "2": "b"}, {"0": "a", "1": "a"}, {"0": "a", "1": 7}, {"0": "a", "-1": "b"}]
)
def test_labels_that_name_no_classes_are_refused(folder: Path, id2label: dict[str, object]) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id2label": id2label}))
    with pytest.raises(ModelRefused, match="id2label must name each class from 0 on, all differently"):
        OneStepGenerator.load(folder)
