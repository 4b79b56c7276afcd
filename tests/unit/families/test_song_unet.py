"""``SongUNet`` against its second implementation, in float64, gradients too; and its configuration, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sfd_core.errors import ModelRefused
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig
from sfd_core.families.edm.song.config import check_song_unet
from sfd_core.families.edm.song.network import AttackedSongUnet, load_song_unet
from sfd_core.families.edm.song.song_unet import SongUNet
from tests.support.song import Weights, predicted, random_weights, shapes

CONFIG: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 3,
    "out_channels": 3,
    "num_class_embeds": 5,
    "model_channels": 16,
    "channel_mult": [1, 2, 2],
    "channel_mult_emb": 4,
    "num_blocks": 2,
    "attn_resolutions": [8],
}
PUBLISHED = {
    "sample_size": 32,
    "num_class_embeds": 10,
    "model_channels": 128,
    "channel_mult": [2, 2, 2],
    "num_blocks": 4,
    "attn_resolutions": [16],
}


def shapes_of(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return shapes(
        config["model_channels"],
        config["channel_mult"],
        config["attn_resolutions"],
        config["num_class_embeds"],
        config["sample_size"],
        config["num_blocks"],
        config["in_channels"],
    )


def network(weights: Weights, config: dict[str, Any] = CONFIG) -> SongUNet:
    made = SongUNet(**config).double()
    made.load_state_dict(weights, strict=True)
    return made.eval()


@pytest.fixture(scope="module")
def asked() -> tuple[Tensor, Tensor, Tensor]:
    """Its input, its times, from sigma 0.002 to 80, and classes."""
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, torch.tensor([0.002, 0.5, 2.5, 80.0]).double().log() / 4, torch.tensor([0, 4, 2, 2])


@pytest.mark.parametrize(
    "change", [{}, {"channel_mult": [2], "attn_resolutions": []}, {"channel_mult": [1, 3], "attn_resolutions": [16, 8]}]
)
def test_it_puts_out_what_is_written(change: dict[str, Any], asked: tuple[Tensor, Tensor, Tensor]) -> None:
    config = CONFIG | change
    weights = random_weights(shapes_of(config))
    ours, theirs = network(weights, config)(*asked).sample, predicted(weights, *asked)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)  # frequencies are float32
    assert torch.equal(network(weights, config)(*asked, return_dict=False)[0], ours)


def test_its_gradients_are_those_of_what_is_written(asked: tuple[Tensor, Tensor, Tensor]) -> None:
    weights = random_weights(shapes_of(CONFIG))
    theirs = {name: weight.double().requires_grad_() for name, weight in weights.items()}
    towards = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    made, x, x_too = network(weights), asked[0].clone().requires_grad_(), asked[0].clone().requires_grad_()
    ((made(x, *asked[1:]).sample - towards) ** 2).mean().backward()
    ((predicted(theirs, x_too, *asked[1:]) - towards) ** 2).mean().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, x_too.grad, rtol=1e-5, atol=1e-9)
    for name, weight in made.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name
        torch.testing.assert_close(
            weight.grad, theirs[name].grad, rtol=1e-4, atol=1e-8, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("other", ["scale", "order", "class"])
def test_what_is_written_tells_another_network(other: str, asked: tuple[Tensor, Tensor, Tensor]) -> None:
    """Controls: queries, keys and values in thirds, sums unscaled, and another class are seen."""
    weights = random_weights(shapes_of(CONFIG))
    theirs, (x, t, c) = predicted(weights, *asked), asked
    made = network(weights)
    if other == "scale":
        made.dec["16x16_block2"].conv1.weight.data.mul_(2**0.5)
    elif other == "order":
        for block in (made.dec["4x4_in0"], made.enc["8x8_block0"]):
            for weight in (block.qkv.weight, block.qkv.bias):
                weight.data = weight.data.unflatten(0, (3, -1)).transpose(0, 1).flatten(0, 1)
    else:
        c = c.roll(1)
    assert (made(x, t, c).sample - theirs).abs().max() > 1e-3


def test_float32_is_near(asked: tuple[Tensor, Tensor, Tensor]) -> None:
    weights = random_weights(shapes_of(CONFIG))
    x, t, c = asked
    ours = network(weights).float()(x.float(), t.float(), c).sample
    torch.testing.assert_close(ours.double(), predicted(weights, *asked), rtol=1e-4, atol=1e-4)


def test_one_time_for_all(asked: tuple[Tensor, Tensor, Tensor]) -> None:
    made, (x, t, c) = network(random_weights(shapes_of(CONFIG))), asked
    for time in (t[1], float(t[1])):
        torch.testing.assert_close(made(x, time, c).sample, made(x, t[1].expand(4), c).sample, rtol=1e-6, atol=1e-6)


def test_gradient_checkpointing_changes_nothing(asked: tuple[Tensor, Tensor, Tensor]) -> None:
    weights, gradients = random_weights(shapes_of(CONFIG)), []
    for checkpointing in (False, True):
        made = network(weights)
        if checkpointing:
            made.enable_gradient_checkpointing()
        made(*asked).sample.square().sum().backward()
        gradients.append([weight.grad for weight in made.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_the_published_network_on_cifar10_has_its_size() -> None:
    """Karras et al. 2022: 55.7 million parameters. Names and shapes are the checkpoint's, without drawing."""
    config = CONFIG | PUBLISHED
    with torch.device("meta"):
        made = SongUNet(**config)
    assert {name: tuple(w.shape) for name, w in made.state_dict().items()} == shapes_of(config)
    assert sum(weight.numel() for weight in made.parameters()) == 55_734_147


def test_a_class_is_what_it_adds_to_the_embedding(asked: tuple[Tensor, Tensor, Tensor]) -> None:
    """As the probes ask it, and with gradients to what they search."""
    made = network(random_weights(shapes_of(CONFIG))).float()
    attacked = AttackedSongUnet(made, Edm(EdmConfig()), 2.5, 1)
    z = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    rows = attacked.embeddings([4, 0])
    assert rows.shape == (2, 16)
    t = torch.full((2,), 2.5)
    x_t = 2.5 * z
    output = made(*attacked.schedule.network_input(x_t, t), torch.tensor([4, 0])).sample
    torch.testing.assert_close(attacked.draw(z, rows), attacked.schedule.x0_from_output(output, x_t, t))
    searched = rows.detach().clone().requires_grad_()
    attacked.images(z, searched).sum().backward()
    assert searched.grad is not None
    assert searched.grad.abs().max() > 0
    attacked.images(z, rows).sum().backward()
    assert made.map_label.weight.grad is not None, "a fine-tuning of the network reaches them"


def written(folder: Path, **changes: Any) -> Path:
    config = {"_class_name": "SongUNet", **CONFIG, **changes}
    (folder / "unet").mkdir(parents=True, exist_ok=True)
    path = folder / "unet/config.json"
    path.write_text(json.dumps({name: value for name, value in config.items() if value != "missing"}))
    return folder


def test_a_right_configuration_is_taken(tmp_path: Path) -> None:
    check_song_unet(written(tmp_path), 5)
    check_song_unet(written(tmp_path, **PUBLISHED))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"_class_name": "UNet2DModel"}, "_class_name is 'UNet2DModel', must be 'SongUNet'"),
        ({"sample_size": [16, 16]}, "sample_size is [16, 16], must be 1 to 4096, whole"),
        ({"sample_size": 18}, "sample_size is 18, must be a multiple of 4: there are 3 levels"),
        ({"sample_size": 4096}, "sample_size is 4096, must be at most 512: the lowest of 3 levels attends"),
        ({"in_channels": 0}, "in_channels is 0, must be 1 to 4096, whole"),
        ({"out_channels": 6}, "out_channels is 6, must be 3, as in_channels"),
        ({"num_class_embeds": 0}, "num_class_embeds is 0, must be 2 to"),
        ({"num_class_embeds": None}, "num_class_embeds is None"),
        ({"model_channels": 18}, "model_channels is 18, must be 4 to 8192, a multiple of 4"),
        ({"model_channels": 1 << 30}, "model_channels is 1073741824"),
        ({"model_channels": 16.0}, "model_channels is 16.0"),
        ({"channel_mult": []}, "channel_mult is [], must be 1 to 10 whole numbers from 1 to 64"),
        ({"channel_mult": [1] * 11}, "channel_mult is [1, 1"),
        ({"channel_mult": [1, 65]}, "channel_mult is [1, 65]"),
        ({"channel_mult": [1, True]}, "channel_mult is [1, True]"),
        ({"channel_mult": 2}, "channel_mult is 2"),
        ({"channel_mult_emb": 0}, "channel_mult_emb is 0, must be 1 to 64, whole"),
        ({"num_blocks": 65}, "num_blocks is 65, must be 1 to 64, whole"),
        ({"attn_resolutions": [256]}, "attn_resolutions is [256], must be at most 10 whole numbers from 1 to 128"),
        ({"attn_resolutions": "16"}, "attn_resolutions is '16'"),
        ({"num_blocks": "missing"}, "num_blocks is missing, must be 1 to 64, whole"),
        ({"embedding_type": "fourier"}, "embedding_type is no field of a SongUNet, must be left out"),
        ({"auto_map": {"AutoModel": "x.y"}}, "auto_map asks for code"),
    ],
)
def test_every_wrong_value_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelRefused) as refused:
        check_song_unet(written(tmp_path, **change))
    assert says in str(refused.value)
    assert str(tmp_path / "unet/config.json") in str(refused.value)
    with pytest.raises(ModelRefused):
        load_song_unet(tmp_path / "unet")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    wrong = {"sample_size": -1, "model_channels": 3, "channel_mult": [0], "num_blocks": None, "attn_resolutions": {}}
    with pytest.raises(ModelRefused) as refused:
        check_song_unet(written(tmp_path, **wrong, decoder_type="skip"), 7)
    for name in (*wrong, "decoder_type", "num_class_embeds is 5, must be 7, one a concept"):
        assert name in str(refused.value)


def test_widths_that_are_no_groups_are_refused(tmp_path: Path) -> None:
    """132 channels and more have 32 groups."""
    with pytest.raises(ModelRefused, match="no SongUNet can be built from it"):
        load_song_unet(written(tmp_path, model_channels=132) / "unet")
