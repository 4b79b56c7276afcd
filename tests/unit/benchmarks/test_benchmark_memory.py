"""The counting of ``benchmarks.memory``: what is alive, each storage once, and whole steps of a small network."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel, SanaTransformer2DModel, SD3Transformer2DModel

from benchmarks.memory import Alive, Row, cells, counted, decoding
from benchmarks.shared.bench import Setting
from benchmarks.shared.flows import FLOWS
from benchmarks.shared.sd15 import SHAPES
from sfd_core.families.flow.pipelines.sd3.empty_tokens import OneForMany
from sfd_core.families.images import noise_shape
from sfd_core.families.memory import Kept

SMALL = SHAPES["small"].trained


def test_bytes_are_counted_while_they_are_alive_and_views_are_not_counted_again() -> None:
    with Alive() as alive:
        a = torch.zeros(100)
        b = a.view(10, 10).t()
        assert alive.now == 400
        c = a + 1
        assert alive.now == 800
        del a
        assert alive.now == 800  # b still refers to it
        del b, c
    assert (alive.now, alive.most) == (0, 800)


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
def test_a_step_over_all_weights_keeps_four_networks_and_four_moments() -> None:
    row = counted(Setting("all"), 1, SMALL)
    assert row.kept.weights % 4 == 0
    assert row.kept.optimizer == row.kept.weights  # two moments of two networks
    assert row.kept.gradients == row.kept.weights // 2
    assert row.activations > 0


@pytest.mark.slow
def test_what_saves_memory_does() -> None:
    whole = counted(Setting("all"), 4, SMALL)
    checkpointed = counted(Setting("checkpointed", checkpointing=True), 4, SMALL)
    both = counted(Setting("adapters", ("fake_score", "generator")), 4, SMALL)
    assert checkpointed.activations < whole.activations
    assert checkpointed.kept.weights == whole.kept.weights
    # One copy of the weights, and little more.
    assert whole.kept.weights / 4 < both.kept.weights < whole.kept.weights / 3
    assert both.kept.optimizer < whole.kept.optimizer / 4
    assert counted(Setting("all"), 8, SMALL).activations > whole.activations


def test_more_pictures_at_once_take_more_memory() -> None:
    assert decoding(1, SMALL) < decoding(4, SMALL)


@pytest.mark.parametrize(
    ("name", "parameters"), [("sd3-medium", 2.03e9), ("sana-1600m", 1.60e9), ("flux-dev", 11.90e9)]
)
def test_flow_matching_networks_are_as_large_as_those_that_are_published(name: str, parameters: float) -> None:
    with torch.device("meta"):
        network = FLOWS[name].network()
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(parameters, rel=0.01)
    assert noise_shape(network) == FLOWS[name].latents


ONE_LAYER = {
    "sd3-medium": lambda: SD3Transformer2DModel(num_layers=1, num_attention_heads=2, caption_projection_dim=128),
    "sana-1600m": lambda: SanaTransformer2DModel(num_layers=1),
    "flux-dev": lambda: FluxTransformer2DModel(num_layers=1, num_single_layers=1, guidance_embeds=True),
}


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.parametrize("name", FLOWS)
def test_a_step_of_a_flow_keeps_four_networks_and_four_moments(name: str) -> None:
    def network() -> Any:
        made: Any = ONE_LAYER[name]()
        made.register_to_config(sample_size=side, latent_channels=channels)
        if name == "sd3-medium":
            made.set_attn_processor(OneForMany())
        return made

    channels, side, _ = FLOWS[name].latents
    row = counted(Setting("all"), 1, dataclasses.replace(FLOWS[name], network=network))
    assert row.kept.weights % 4 == 0
    assert (row.kept.optimizer, row.kept.gradients) == (row.kept.weights, row.kept.weights // 2)
    assert row.activations > 0


def test_the_table_is_in_billions_of_bytes() -> None:
    row = Row("all weights", Kept(13_800_000_000, 13_800_000_000, 6_900_000_000), 43_000_000_000)
    assert cells(row) == ("all weights", "13.8", "13.8", "6.9", "8.5", "43.0")
