"""What Stable Diffusion 3 is asked with where it has no T5: one token for 256, held to the stock processor's 256."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import SD3Transformer2DModel
from torch import Tensor

from sfd_core.families.flow.pipelines.sd3.empty_tokens import OneForMany
from sfd_core.families.flow.pipelines.sd3.layout import T5_TOKENS

TEXT = 5


def network(**more: object) -> SD3Transformer2DModel:
    """A network in float64 of random weights; ``more``: what it has beside Stable Diffusion 3."""
    torch.manual_seed(0)
    made = SD3Transformer2DModel(
        sample_size=4,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=3,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=12,
        caption_projection_dim=16,
        pooled_projection_dim=6,
        pos_embed_max_size=4,
        **more,
    )
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return made.double()


def asked(made: SD3Transformer2DModel, empty: int, alike: int | None) -> tuple[Tensor, list[Tensor]]:
    """What the network answers with so many empty tokens, and every weight's gradient."""
    rng = torch.Generator().manual_seed(1)
    x, text, pooled, direction = (
        torch.randn(*shape, generator=rng, dtype=torch.float64)
        for shape in ((2, 4, 4, 4), (2, TEXT, 12), (2, 6), (2, 4, 4, 4))
    )
    output = made(
        hidden_states=x,
        encoder_hidden_states=torch.cat([text, text.new_zeros(2, empty, 12)], dim=1),
        pooled_projections=pooled,
        timestep=torch.tensor([300.0, 900.0], dtype=torch.float64),
        joint_attention_kwargs=None if alike is None else {"alike": alike},
        return_dict=False,
    )[0]
    weights = [weight for weight in made.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad((output * direction).sum(), weights, allow_unused=True, materialize_grads=True)
    return output.detach(), list(gradients)


OF_OTHERS = [{}, {"qk_norm": "rms_norm"}, {"qk_norm": "rms_norm", "dual_attention_layers": (0, 1)}]


@pytest.mark.parametrize("more", OF_OTHERS, ids=["3", "3.5-large", "3.5-medium"])
def test_one_token_is_as_good_as_the_stock_ones(more: dict[str, object]) -> None:
    stock = network(**more)
    ours = copy.deepcopy(stock)
    ours.set_attn_processor(OneForMany())
    right, right_gradients = asked(stock, T5_TOKENS, None)
    output, gradients = asked(ours, 1, T5_TOKENS)
    torch.testing.assert_close(output, right, rtol=1e-10, atol=1e-11)
    for found, expected in zip(gradients, right_gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-9)


def test_it_is_the_stock_attention_where_nothing_is_alike() -> None:
    stock = network()
    ours = copy.deepcopy(stock)
    ours.set_attn_processor(OneForMany())
    torch.testing.assert_close(asked(ours, 7, None), asked(stock, 7, None), rtol=1e-10, atol=1e-11)


def test_the_weight_matters() -> None:
    ours = network()
    ours.set_attn_processor(OneForMany())
    once, _ = asked(ours, 1, 1)
    often, _ = asked(ours, 1, T5_TOKENS)
    assert (once - often).abs().max() > 1e-3
