"""Networks that were pickled whole: SiD-LSG's generators become the distilled start of their base model, and nothing of
them is run."""

from __future__ import annotations

import io
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import load_unet
from sfd_core.base_model.verifying import verify_files
from sfd_core.errors import ModelRefused
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest, recipe_of
from sfd_core.importing.importer import import_checkpoint
from sfd_core.importing.layout import Choices
from sfd_core.importing.layouts.conditional_ddpm import SCHEDULER
from sfd_core.training.state import start
from tests.support.tiny_flux import make_tiny_flux
from tests.support.tiny_parts import digests, judge_entry
from tests.support.tiny_text_model import make_tiny_text_model
from tests.unit.importing.ddpm import random_weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_text_model(tmp_path_factory.mktemp("tiny-text"))


@pytest.fixture
def base(tiny: BaseModel, tmp_path: Path) -> BaseModel:
    return load_manifest(Path(shutil.copytree(tiny.folder, tmp_path / "base")))


def moved(model: BaseModel, seed: int) -> UNet2DConditionModel:
    """The base model's network with other weights, as training leaves it."""
    unet: UNet2DConditionModel = UNet2DConditionModel.from_pretrained(model.folder / "unet")
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in unet.parameters():
            weight.add_(0.01 * torch.randn(weight.shape, generator=g))
    return unet


def same_weights(folder: Path, unet: UNet2DConditionModel) -> bool:
    loaded = load_unet(folder, UNet2DConditionModel).state_dict()
    return all(torch.equal(loaded[name], weight) for name, weight in unet.state_dict().items())


def test_a_network_snapshot_becomes_the_distilled_start(base: BaseModel, tmp_path: Path) -> None:
    """As the loop of SiD-LSG saves it: pickled whole, by ``pickle`` itself."""
    unet, path = moved(base, 1), tmp_path / "network-snapshot-1.000000-008380.pkl"
    path.write_bytes(pickle.dumps({"ema": unet, "loss_fn": None, "augment_pipe": None}))
    done = import_checkpoint(path, None, base.folder, Choices())
    assert not done.base_model
    assert "no fake score" in done.notes[0]
    model = load_manifest(base.folder)
    verify_files(model)
    assert model.distilled is not None
    assert (model.distilled.fake_score, model.distilled.t_init) == ("unet", 625)
    assert same_weights(model.folder / model.distilled.generator, unet)
    loaded = load_base(model)
    state = start(loaded, recipe_of(model.family, model.recipe), 0, torch.device("cpu"))
    ours = state.generator.state_dict()
    assert all(torch.equal(ours[name], weight) for name, weight in unet.state_dict().items()), "a job starts there"


def test_a_training_state_has_the_fake_score_too(base: BaseModel, tmp_path: Path) -> None:
    last, average, fake = (moved(base, seed) for seed in (1, 2, 3))
    path = tmp_path / "training-state-008380.pt"
    optimizer = torch.optim.Adam(last.parameters()).state_dict()
    torch.save({"fake_score": fake, "G": last, "G_ema": average, "g_optimizer_state": optimizer}, path)
    for choice, generator in ((True, average), (False, last)):
        assert import_checkpoint(path, None, base.folder, Choices(moving_average=choice)).notes == ()
        model = load_manifest(base.folder)
        verify_files(model)
        assert model.distilled is not None
        assert same_weights(model.folder / model.distilled.generator, generator)
        assert same_weights(model.folder / model.distilled.fake_score, fake)


def test_state_dicts_at_those_names_are_read_too(base: BaseModel, tmp_path: Path) -> None:
    unet, path = moved(base, 1), tmp_path / "a.pt"
    torch.save({"ema": unet.half().state_dict()}, path)
    import_checkpoint(path, None, base.folder, Choices())
    model = load_manifest(base.folder)
    assert model.distilled is not None
    assert same_weights(model.folder / model.distilled.generator, unet.float())
    with pytest.raises(ModelRefused, match="moving average alone"):
        import_checkpoint(path, None, base.folder, Choices(moving_average=False))


def test_the_folder_still_opens_in_stock_diffusers(base: BaseModel, tmp_path: Path) -> None:
    """With the imported network in place of the base model's: what SiD-LSG's own script does."""
    unet, path = moved(base, 1), tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"ema": unet}))
    done = import_checkpoint(path, None, base.folder, Choices())
    generator = UNet2DConditionModel.from_pretrained(Path(done.folder) / "generator")
    pipe = StableDiffusionPipeline.from_pretrained(base.folder, unet=generator)
    assert torch.equal(next(pipe.unet.parameters()), next(unet.parameters()))


def test_another_base_models_generator_is_refused(base: BaseModel, tmp_path: Path) -> None:
    unet = moved(base, 1)
    unet.conv_in = torch.nn.Conv2d(4, 7, 3)
    path, before = tmp_path / "a.pkl", (base.folder / "manifest.json").read_bytes()
    path.write_bytes(pickle.dumps({"ema": unet}))
    with pytest.raises(
        ModelRefused, match=rf"^{path}: generator/diffusion_pytorch_model\.safetensors: conv_in\.\w+ has shape"
    ):
        import_checkpoint(path, None, base.folder, Choices())
    assert (base.folder / "manifest.json").read_bytes() == before
    assert not [entry for entry in base.folder.iterdir() if "distilled" in entry.name or "unfinished" in entry.name]
    with pytest.raises(ModelRefused, match=r"say which \(--of\)"):
        import_checkpoint(path, tmp_path / "out", None, Choices())


def test_a_base_model_whose_network_is_no_u_net(base: BaseModel, tmp_path: Path) -> None:
    path, other = tmp_path / "a.pkl", make_tiny_flux(tmp_path / "flux")
    path.write_bytes(pickle.dumps({"ema": moved(base, 1)}))
    with pytest.raises(ModelRefused, match=r"holds a U-Net, and the network of tiny-flux \(flow\) is none"):
        import_checkpoint(path, None, other.folder, Choices())


def test_a_distilled_ddpm_becomes_the_distilled_start(tmp_path: Path) -> None:
    """As the paper's code saves it: fake score, optimizer, generator, optimizer, step, moving average."""
    weights = [random_weights(32, (1, 1), 1, 4, seed=seed) for seed in range(4)]
    torch.save(weights[0], tmp_path / "ckpt.pth")
    folder = tmp_path / "base"
    import_checkpoint(tmp_path / "ckpt.pth", folder, None, Choices())
    write_manifest(folder)
    path = tmp_path / "ckpt-49999.pth"
    torch.save([weights[1], {"state": {}}, weights[2], {"state": {}}, 49999, weights[3]], path)
    import_checkpoint(path, None, folder, Choices())
    model = load_manifest(folder)
    assert model.distilled is not None
    assert model.distilled.t_init == 440
    for part, theirs in ((model.distilled.generator, weights[3]), (model.distilled.fake_score, weights[1])):
        assert torch.equal(load_unet(folder / part).conv_in.weight, theirs["conv_in.weight"])
    torch.save([None, None, weights[2], None, 500, weights[3]], path)  # an early one keeps the generator alone
    import_checkpoint(path, None, folder, Choices(moving_average=False))
    model = load_manifest(folder)
    assert model.distilled is not None
    assert model.distilled.fake_score == "unet"
    assert torch.equal(load_unet(folder / model.distilled.generator).conv_in.weight, weights[2]["conv_in.weight"])


def test_a_distilled_ddpm_of_other_images_is_refused(tmp_path: Path) -> None:
    torch.save(random_weights(32, (1, 1), 1, 4), tmp_path / "ckpt.pth")
    import_checkpoint(tmp_path / "ckpt.pth", tmp_path / "base", None, Choices())
    write_manifest(tmp_path / "base")
    path, other = tmp_path / "ckpt-500.pth", random_weights(32, (1, 1), 1, 5)
    torch.save([None, None, other, None, 500, other], path)
    with pytest.raises(ModelRefused, match="sample_size is 16, the base model's 32; num_class_embeds is 5, the base"):
        import_checkpoint(path, None, tmp_path / "base", Choices(size=16))


def write_manifest(folder: Path) -> None:
    """What adding the folder writes."""
    files, concepts = digests(folder), ["a", "b", "c", "d"]
    manifest: dict[str, Any] = {
        "schema_version": 1,
        "name": "imported",
        "title": "Imported",
        "family": "class_unet",
        "license": "none",
        "data": "none",
        "concepts": concepts,
        "image": {"channels": 3, "height": 32, "width": 32, "patch": 1},
        "judge": judge_entry("unet", files, concepts),
        "reference": "scheduler/scheduler_config.json",
        "teacher": {"network_evaluations": 4},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ({"state_dict": {"a": torch.zeros(2)}, "epoch": 3}, "a dict with 'state_dict', 'epoch', which is none"),
        ({}, "an empty dict"),
        ([1, 2, 3], "a list of 3"),
        (torch.zeros(3), "a Tensor"),
        ({str(i): i for i in range(20)}, "and more"),
    ],
)
def test_unknown_origins_are_refused_with_those_that_are_known(tmp_path: Path, saved: Any, said: str) -> None:
    path = tmp_path / "a.pth"
    torch.save(saved, path)
    with pytest.raises(ModelRefused) as error:
        import_checkpoint(path, tmp_path / "out", None, Choices())
    assert said in str(error.value)
    assert all(origin in str(error.value) for origin in ("SalUn", "SiD-LSG", "NVlabs/edm"))


def test_what_is_written_is_the_schedule_and_nothing_else(tmp_path: Path) -> None:
    out = io.BytesIO()
    torch.save(random_weights(32, (1, 1), 1, 4), out)
    (tmp_path / "a.pth").write_bytes(out.getvalue())
    import_checkpoint(tmp_path / "a.pth", tmp_path / "out", None, Choices())
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert files == ["scheduler/scheduler_config.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
    assert json.loads((tmp_path / "out/scheduler/scheduler_config.json").read_text()) == SCHEDULER
