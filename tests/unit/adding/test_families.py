"""Folders of the families beside a class-conditional U-Net and Stable Diffusion: each is known by its pipeline's class,
and what is added draws what its folder draws."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDPMScheduler,
    DiTTransformer2DModel,
    EDMDPMSolverMultistepScheduler,
    EDMEulerScheduler,
    FlowMatchEulerDiscreteScheduler,
    UNet2DConditionModel,
)

from sfd_core.adding.add import add_model
from sfd_core.adding.recognition import family_of_folder
from sfd_core.adding.said import Said
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.loading import load_base
from sfd_core.families.registry import NAMES, describe, family_of, load_manifest
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.families.text.tokens import CLIP, prompt_tokenizer
from tests.support.foreign import save_class_model
from tests.support.tiny_dit_model import CONCEPTS, ID2LABEL, make_tiny_dit_model
from tests.support.tiny_model import make_tiny_song_model
from tests.support.tiny_sdxl import make_tiny_sdxl

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def dit(tmp_path: Path) -> Path:
    """A folder as ``DiTPipeline`` saves it; its judge and what else is ours lie beside it."""
    make_tiny_dit_model(tmp_path / "made")
    folder = tmp_path / "dit"
    for part in ("transformer", "vae", "scheduler"):
        shutil.copytree(tmp_path / "made" / part, folder / part)
    shutil.copy(tmp_path / "made/model_index.json", folder)
    return folder


@pytest.fixture
def sdxl(tmp_path: Path) -> Path:
    make_tiny_sdxl(tmp_path / "xl")
    (tmp_path / "xl/manifest.json").unlink()
    return tmp_path / "xl"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def without(path: Path, name: str) -> None:
    values = json.loads(path.read_text())
    del values[name]
    path.write_text(json.dumps(values))


def sampled(model: BaseModel) -> Any:
    return family_of(model.family).base_sampler(load_base(model), "cpu", 2).sample_labels([0, 4], [5, 6])


def test_every_family_says_what_is_read_of_its_folders() -> None:
    assert [name for name in NAMES if not describe(name).layouts] == []


def test_a_diffusion_transformer_is_the_model_that_it_was(dit: Path, tmp_path: Path) -> None:
    said = Said(
        concepts=CONCEPTS, judges={"": tmp_path / "made/judge"}, second_judges={"": tmp_path / "made/second_judge"}
    )
    model = add_model(dit, tmp_path / "models", said)
    assert (model.family, model.concepts) == ("dit", CONCEPTS)
    assert (model.image.channels, model.image.height, model.image.width, model.image.patch) == (3, 16, 16, 1)
    assert model.judge is not None
    weights = load_base(model).network.state_dict()
    theirs = DiTTransformer2DModel.from_pretrained(dit / "transformer").state_dict()
    assert all(torch.equal(weights[name], value) for name, value in theirs.items())
    change(tmp_path / "made/manifest.json", teacher={"network_evaluations": 50})  # and no guidance, as of an added one
    np.testing.assert_array_equal(sampled(model), sampled(load_manifest(tmp_path / "made")))


def test_names_of_classes_that_the_pipeline_has(dit: Path, tmp_path: Path) -> None:
    """As they are, but for two that have the same."""
    model = add_model(dit, tmp_path / "models", Said())
    names = list(ID2LABEL.values())
    assert list(model.concepts) == [names[0], "crane (1)", "crane (2)", *names[3:]]
    load_base(model)


def test_a_transformer_whose_classes_nothing_names(dit: Path, tmp_path: Path) -> None:
    without(dit / "model_index.json", "id2label")
    assert add_model(dit, tmp_path / "models", Said()).concepts == ("0", "1", "2", "3", "4")


def test_a_judge_with_other_names_than_the_pipeline(dit: Path, tmp_path: Path) -> None:
    """As whoever reads ImageNet's long names has one: they can be said in the judge's words."""
    with pytest.raises(ModelRefused, match=r"it has goldfish.*: say --concepts, in the judge's words and the order of"):
        add_model(dit, tmp_path / "models", Said(judges={"": tmp_path / "made/judge"}))


def test_names_that_are_not_the_pipelines(dit: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="id2label calls class 4 'hen', the manifest's concept is 'duck'"):
        add_model(dit, tmp_path / "models", Said(concepts=(*CONCEPTS[:4], "duck")))
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


def test_every_fault_of_a_transformers_folder_is_listed_at_once(dit: Path, tmp_path: Path) -> None:
    change(dit / "transformer/config.json", patch_size=3)
    change(dit / "scheduler/scheduler_config.json", beta_schedule="cosine")
    change(dit / "vae/config.json", scaling_factor=0)
    change(dit / "model_index.json", id2label=7)
    (dit / "vae" / WEIGHTS).unlink()
    with pytest.raises(ModelRefused) as refused:
        add_model(dit, tmp_path / "models", Said())
    for said in (
        "sample_size is 8, must be a multiple of patch_size, 3",
        "beta_schedule is 'cosine'",
        "scaling_factor is 0",
        "id2label is 7",
        f"vae/{WEIGHTS}: no such file",
    ):
        assert said in str(refused.value)


def test_cells_of_several_pixels_are_no_latents(dit: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no 2 x 2 pixels"):
        add_model(dit, tmp_path / "models", Said(patch=2))


def test_a_model_of_two_text_encoders_is_the_model_that_it_was(sdxl: Path, tmp_path: Path) -> None:
    model = add_model(sdxl, tmp_path / "models", Said())
    assert (model.family, model.concepts) == ("sdxl", ())
    assert {f"{part}/tokenizer_config.json" for part in ("tokenizer", "tokenizer_2")} <= set(model.files)
    base = load_base(model)
    theirs = UNet2DConditionModel.from_pretrained(sdxl / "unet").state_dict()
    assert all(torch.equal(base.network.state_dict()[name], value) for name, value in theirs.items())


def test_a_hubs_cache_of_halves_of_two_text_encoders(sdxl: Path, tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for i, path in enumerate(sorted(path for path in sdxl.rglob("*") if path.is_file())):
        path.rename(blobs / str(i))
        name = path.name.replace(".safetensors", ".fp16.safetensors")
        path.with_name(name).symlink_to(blobs / str(i))
    load_base(add_model(sdxl, tmp_path / "models", Said()))


def test_every_tokenizer_that_is_missing_is_named(sdxl: Path, tmp_path: Path) -> None:
    for name in ("tokenizer", "tokenizer_2"):
        shutil.rmtree(sdxl / name)
    with pytest.raises(ModelRefused) as refused:
        add_model(sdxl, tmp_path / "models", Said())
    for name in ("tokenizer", "tokenizer_2"):
        assert f"neither {name}/tokenizer.json nor {name}/vocab.json and {name}/merges.txt" in str(refused.value)


def test_a_second_tokenizer_without_a_length(sdxl: Path, tmp_path: Path) -> None:
    without(sdxl / "tokenizer_2/tokenizer_config.json", "model_max_length")
    base = load_base(add_model(sdxl, tmp_path / "models", Said()))
    assert isinstance(base, LoadedPipeline)
    assert base.text.longest == 77
    reader = prompt_tokenizer(base.model.folder / "tokenizer_2", CLIP)
    assert reader is not None
    assert reader.longest == 77


def test_parts_that_do_not_fit_are_refused_before_anything_is_copied(sdxl: Path, tmp_path: Path) -> None:
    change(sdxl / "unet/config.json", projection_class_embeddings_input_dim=7)
    with pytest.raises(ModelRefused, match="projection_class_embeddings_input_dim is 7, the other parts make 36"):
        add_model(sdxl, tmp_path / "models", Said())
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("scheduler", [EDMEulerScheduler, EDMDPMSolverMultistepScheduler])
def test_a_network_in_edms_preconditioning_is_known_by_its_scheduler(tmp_path: Path, scheduler: Any) -> None:
    """The same network over steps is of another family, and draws something else."""
    save_class_model(tmp_path / "levels", 5, scheduler(sigma_data=0.6, sigma_max=40.0))
    save_class_model(tmp_path / "steps", 5, DDPMScheduler())
    levels, steps = (add_model(tmp_path / name, tmp_path / "models", Said(steps=2)) for name in ("levels", "steps"))
    assert (levels.family, steps.family) == ("edm", "class_unet")
    schedule = load_base(levels).schedule
    assert isinstance(schedule, Edm)
    assert (schedule.config.sigma_data, schedule.config.sigma_max) == (0.6, 40.0)
    assert not np.array_equal(sampled(levels), sampled(steps))


def test_every_fault_of_edms_folder_is_listed_at_once(tmp_path: Path) -> None:
    save_class_model(tmp_path / "levels", scheduler=EDMEulerScheduler())
    change(tmp_path / "levels/scheduler/scheduler_config.json", sigma_min=0, rho=-1)
    change(tmp_path / "levels/unet/config.json", sample_size=None)
    with pytest.raises(ModelRefused) as refused:
        add_model(tmp_path / "levels", tmp_path / "models", Said())
    for said in ("sigma_min is 0", "rho is -1", "sample_size is None"):
        assert said in str(refused.value)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A network of NVlabs/edm's kind with its scheduler, alone."""
    make_tiny_song_model(tmp_path / "made")
    for part in ("unet", "scheduler"):
        shutil.copytree(tmp_path / "made" / part, tmp_path / "song" / part)
    return tmp_path / "song"


def test_a_network_of_nvlabs_kind_is_the_model_that_it_was(song: Path, tmp_path: Path) -> None:
    model = add_model(song, tmp_path / "models", Said(steps=4))
    assert (model.family, model.concepts) == ("edm", ("0", "1", "2", "3"))
    assert (model.image.channels, model.image.height, model.image.width, model.image.patch) == (1, 8, 8, 1)
    made = family_of("edm").base_sampler(load_base(load_manifest(tmp_path / "made")), "cpu", 2)
    added = family_of("edm").base_sampler(load_base(model), "cpu", 2)
    np.testing.assert_array_equal(added.sample_labels([0, 3], [5, 6]), made.sample_labels([0, 3], [5, 6]))


def test_every_fault_of_such_a_folder_is_listed_at_once(song: Path, tmp_path: Path) -> None:
    change(song / "unet/config.json", sample_size=7, num_blocks=0, encoder_type="residual")
    DDPMScheduler().save_pretrained(song / "scheduler")
    with pytest.raises(ModelRefused) as refused:
        add_model(song, tmp_path / "models", Said())
    for said in (
        "num_blocks is 0, must be 1 to 64, whole",
        "encoder_type is no field of a SongUNet",
        "_class_name is 'DDPMScheduler'; the family edm has formulas for EDMEulerScheduler",
    ):
        assert said in str(refused.value)


def test_a_u_net_whose_scheduler_is_no_familys(tmp_path: Path) -> None:
    save_class_model(tmp_path / "flow", scheduler=FlowMatchEulerDiscreteScheduler())
    with pytest.raises(ModelRefused, match="a flow-matching scheduler"):
        add_model(tmp_path / "flow", tmp_path / "models", Said())


def test_a_pipeline_that_no_family_reads_is_told_which_are(sdxl: Path) -> None:
    change(sdxl / "model_index.json", _class_name="StableDiffusionXLInpaintPipeline")
    with pytest.raises(ModelRefused) as refused:
        family_of_folder(sdxl)
    for pipeline in ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "DiTPipeline"):
        assert f"of a {pipeline})" in str(refused.value)
