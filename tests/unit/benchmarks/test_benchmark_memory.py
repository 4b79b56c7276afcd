"""The counting of ``benchmarks.memory``: what is alive, each storage once, and whole steps of a small network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks import memory, sd15
from benchmarks.memory import Alive, counted, decoding, table
from benchmarks.sd15 import Setting

SMALL: dict[str, Any] = {
    "sample_size": 8,
    "down_block_types": ("CrossAttnDownBlock2D",),
    "up_block_types": ("CrossAttnUpBlock2D",),
    "mid_block_type": None,
    "layers_per_block": 1,
    "block_out_channels": (32,),
    "cross_attention_dim": sd15.WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}


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


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sd15, "UNET", SMALL)


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.usefixtures("small")
def test_a_step_over_all_weights_keeps_four_networks_and_four_moments() -> None:
    row = counted(Setting("all", {}), 1)
    assert row.weights % 4 == 0
    assert row.optimizer == row.weights  # two moments of two networks
    assert row.gradients == row.weights // 2
    assert row.activations > 0


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_what_saves_memory_does() -> None:
    whole = counted(Setting("all", {}), 4)
    checkpointed = counted(Setting("checkpointed", {"gradient_checkpointing": True}), 4)
    both = counted(Setting("adapters", {"lora_rank_fake_score": 2, "lora_rank_generator": 2}), 4)
    assert checkpointed.activations < whole.activations
    assert checkpointed.weights == whole.weights
    # One copy of the weights, and little more.
    assert whole.weights / 4 < both.weights < whole.weights / 3
    assert both.optimizer < whole.optimizer / 4
    assert counted(Setting("all", {}), 8).activations > whole.activations


def test_more_pictures_at_once_take_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "VAE", {"block_out_channels": (32,), "sample_size": 64})
    assert decoding(1) < decoding(4)


def test_the_table_is_in_billions_of_bytes() -> None:
    row = memory.Row("all weights", 13_800_000_000, 13_800_000_000, 6_900_000_000, 43_000_000_000)
    assert table([row])[-1] == "| all weights | 13.8 | 13.8 | 6.9 | 8.5 | 43.0 |"
