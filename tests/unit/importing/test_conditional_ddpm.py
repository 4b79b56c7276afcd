"""Checkpoints of the class-conditional DDPM of Selective Amnesia, SalUn and the paper: the imported network draws what
a second implementation draws of the same weights."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DModel
from torch import Tensor

from sfd_core.base_model.safe_files import load_unet
from sfd_core.errors import ModelRefused
from sfd_core.families.schedules import load_schedule
from sfd_core.importing.importer import Imported, import_checkpoint
from sfd_core.importing.layout import Choices
from sfd_core.importing.layouts.conditional_ddpm import find
from tests.unit.importing.ddpm import predicted, random_weights, shapes

SMALL = (1, 2, 2, 2)
LARGE = (1, 2, 2, 2, 4)


def checkpoint(
    path: Path, weights: dict[str, Tensor], average: dict[str, Tensor] | None = None, prefix: str = ""
) -> Path:
    """As the code of SalUn saves it, with the optimizer's state between."""
    first = next(iter(weights.values()))
    optimizer = {
        "state": {0: {"step": torch.tensor(5.0), "exp_avg": torch.zeros_like(first), "exp_avg_sq": first**2}},
        "param_groups": [{"lr": 2e-4, "betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False, "params": [0]}],
    }
    saved: list[Any] = [{f"{prefix}{name}": value for name, value in weights.items()}, optimizer, 4999]
    torch.save([*saved, average] if average is not None else saved, path)
    return path


def imported(path: Path, out: Path, **choices: Any) -> Imported:
    return import_checkpoint(path, out, None, Choices(**choices))


def test_a_refusal_names_the_checkpoint_and_what_would_be_made_of_it(tmp_path: Path) -> None:
    """And not the folder that is gone by then."""
    path = checkpoint(tmp_path / "ckpt.pth", random_weights(32, (1, 1), 1, classes=1))
    with pytest.raises(ModelRefused) as refused:
        imported(path, tmp_path / "out", size=16, moving_average=False)
    assert str(refused.value) == f"{path}: unet/config.json: num_class_embeds is 1, must be 2 to 10000, whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["ckpt.pth"]


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_whoever_the_umask_lets_in_may_read_what_was_made(tmp_path: Path, umask: int) -> None:
    path = checkpoint(tmp_path / "ckpt.pth", random_weights(32, (1, 1), 1, 4))
    before = os.umask(umask)
    try:
        imported(path, tmp_path / "out", size=16, moving_average=False)
    finally:
        os.umask(before)
    made = [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in made if each.is_dir()} == {0o777 & ~umask}
    assert {stat.S_IMODE(each.stat().st_mode) for each in made if each.is_file()} == {0o666 & ~umask}


@pytest.mark.parametrize(("multipliers", "attends", "size"), [(SMALL, 1, 32), (LARGE, 2, 64)])
def test_the_network_is_the_same(tmp_path: Path, multipliers: tuple[int, ...], attends: int, size: int) -> None:
    weights = random_weights(32, multipliers, attends, classes=10)
    other = random_weights(32, multipliers, attends, classes=10, seed=1)
    done = imported(checkpoint(tmp_path / "ckpt.pth", other, weights, "module."), tmp_path / "out")
    assert done.base_model
    unet = load_unet(tmp_path / "out" / "unet").eval()
    assert unet.config.sample_size == size
    assert unet.config.num_class_embeds == 10
    g = torch.Generator().manual_seed(3)
    x = torch.randn(3, 3, size, size, generator=g)
    t, c = torch.tensor([0, 440, 999]), torch.tensor([0, 7, 9])
    with torch.no_grad():
        ours = unet(x, t, class_labels=c).sample
    theirs = predicted(weights, x, t, c)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        elsewhere = unet(x, t, class_labels=torch.tensor([1, 8, 0])).sample
    assert (elsewhere - ours).abs().max() > 1e-3, "the class is heard"


@pytest.mark.parametrize(("multipliers", "attends", "size"), [(SMALL, 1, 32), (LARGE, 2, 64)])
def test_every_weight_of_the_published_widths_has_its_place(
    multipliers: tuple[int, ...], attends: int, size: int
) -> None:
    """128 channels, 1 2 2 2 and 1 2 2 2 4: names and shapes, without drawing."""
    weights = {name: torch.zeros(1).expand(shape) for name, shape in shapes(128, multipliers, attends, 10).items()}
    found = find([{name: value.contiguous() for name, value in weights.items()}], "ckpt.pth", Choices(False)).base_model
    assert found is not None
    assert found.config is not None
    with torch.device("meta"):
        unet = UNet2DModel(**{name: value for name, value in found.config.items() if not name.startswith("_")})
    assert {n: tuple(v.shape) for n, v in found.weights.items()} == {
        n: tuple(v.shape) for n, v in unet.state_dict().items()
    }
    assert (found.config["sample_size"], found.config["time_embedding_dim"]) == (size, 1024)


def test_the_schedule_is_the_published_one(tmp_path: Path) -> None:
    imported(checkpoint(tmp_path / "a.pth", w := random_weights(32, (1, 1), 1, 4), w), tmp_path / "out")
    schedule = load_schedule(tmp_path / "out")
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    a, b = schedule.signal(torch.tensor([440])), schedule.noise(torch.tensor([440]))
    signal = (1 - betas).cumprod(0)[440]
    assert float(a) ** 2 == pytest.approx(float(signal), rel=1e-4)
    assert float(b) ** 2 == pytest.approx(1 - float(signal), rel=1e-4)


def test_the_moving_average_or_the_last(tmp_path: Path) -> None:
    last, average = random_weights(32, (1, 1), 1, 4), random_weights(32, (1, 1), 1, 4, seed=1)
    path = checkpoint(tmp_path / "a.pth", last, average)
    for taken, weights in ((True, average), (False, last)):
        out = tmp_path / f"out-{taken}"
        imported(path, out, moving_average=taken)
        assert torch.equal(load_unet(out / "unet").conv_in.weight, weights["conv_in.weight"])
    without = checkpoint(tmp_path / "b.pth", last)
    with pytest.raises(ModelRefused, match="no weights that are the average; ask for --weights last"):
        imported(without, tmp_path / "no")


def changed(**changes: Tensor | None) -> dict[str, Tensor]:
    weights = random_weights(32, (1, 1), 1, 4)
    for name, value in changes.items():
        if value is None:
            del weights[name]
        else:
            weights[name] = value
    return weights


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mid.attn_1.q.bias": None}, r"has no mid\.attn_1\.q\.bias"),
        ({"classes_emb.weight": None}, r"has no classes_emb\.weight"),
        ({"cemb.dense.0.weight": torch.zeros(128, 7)}, r"\(cemb\) does not fit its table"),
        ({"logvar": torch.zeros(1000)}, r"1 weights have no place in a UNet2DModel, the first is 'logvar'"),
        ({"down.0.block.0.temb_proj.weight": torch.zeros(32, 128)}, "a network without classes"),
        ({"down.0.downsample.conv.weight": None}, r"has no down\.0\.downsample\.conv\.weight"),
        ({"conv_in.weight": torch.full((32, 3, 3, 3), torch.nan)}, "NaN or infinite"),
        ({"conv_in.weight": torch.zeros(30, 3, 3, 3)}, "multiple of 32 groups"),
        ({"mid.block_1.conv1.weight": torch.zeros(32, 16, 3, 3)}, "has shape"),
        ({"down.1.attn.0.q.weight": None}, r"attends at 0 levels: say how large its images are \(--size\)"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, changes: dict[str, Tensor | None], said: str) -> None:
    path = tmp_path / "a.pth"
    torch.save(changed(**changes), path)
    with pytest.raises(ModelRefused, match=said):
        imported(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pth"], "nothing half done is left"


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(changed(), path)
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelRefused, match="is there already"):
        imported(path, tmp_path / "out")
    with pytest.raises(ModelRefused, match="--out"):
        import_checkpoint(path, None, None, Choices())
    imported(path, tmp_path / "sized", size=48)
    assert load_unet(tmp_path / "sized" / "unet").config.sample_size == 48
