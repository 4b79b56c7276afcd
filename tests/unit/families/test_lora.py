"""Adapters over shared, frozen weights: they start as nothing, are all that trains, and fold into a plain network."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from sfd_core.base_model.safe_files import load_unet
from sfd_core.families.lora import add_lora, merged, sharing, trainable
from sfd_core.families.stable_diffusion import DESCRIPTION
from sfd_core.training.state import update_average
from tests.support.adapters import adapter_state

RANK = 3


def tiny_unet() -> UNet2DConditionModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(16, 32),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=1,
            attention_head_dim=2,
            cross_attention_dim=12,
            norm_num_groups=8,
        ).eval()


def asked(seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, 8, 8, generator=g), torch.tensor([20, 900]), torch.randn(2, 5, 12, generator=g)


def output(unet: UNet2DConditionModel, x: Tensor | None = None) -> Tensor:
    noise, t, text = asked()
    found: Tensor = unet(noise if x is None else x, t, encoder_hidden_states=text).sample
    return found


def moved(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The same network with an adapter that does something."""
    g = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in trainable(unet):
            weight.copy_(0.3 * torch.randn(weight.shape, generator=g))
    return unet


def adapted(teacher: UNet2DConditionModel, seed: int = 0) -> UNet2DConditionModel:
    unet = sharing(teacher)
    add_lora(unet, DESCRIPTION.adapters, RANK, "fake_score", seed)
    return unet


def digest(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in unet.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_an_adapter_starts_as_nothing_and_can_do_something() -> None:
    teacher = tiny_unet()
    before = output(teacher)
    unet = adapted(teacher)
    assert torch.equal(output(unet), before)
    assert not torch.allclose(output(moved(unet)), before, atol=1e-3)
    assert torch.equal(output(teacher), before), "the adapter reached the network that shares its weights"


def test_rank_times_in_and_out_numbers_a_projection_are_trained_and_nothing_else() -> None:
    teacher = tiny_unet()
    expected = sum(
        RANK * (layer.in_features + layer.out_features)
        for name, layer in teacher.named_modules()
        if name.endswith(DESCRIPTION.adapters) and "attentions" in name
    )
    unet = adapted(teacher)
    assert sum(weight.numel() for weight in trainable(unet)) == expected > 0
    asked_for = {id(weight) for weight in unet.parameters() if weight.requires_grad}
    assert asked_for == {id(weight) for weight in trainable(unet)}
    assert {weight.data_ptr() for weight in teacher.parameters()} <= {weight.data_ptr() for weight in unet.parameters()}


def test_without_an_adapter_everything_is_trained() -> None:
    teacher = tiny_unet()
    assert [id(weight) for weight in trainable(teacher)] == [id(weight) for weight in teacher.parameters()]
    assert adapter_state(teacher) == {}
    assert merged(teacher) is teacher


def test_what_is_trained_does_not_depend_on_which_gradients_are_asked_for() -> None:
    unet = adapted(tiny_unet())
    before = [id(weight) for weight in trainable(unet)]
    unet.requires_grad_(False)
    assert [id(weight) for weight in trainable(unet)] == before


def test_training_moves_the_adapter_and_leaves_the_shared_weights() -> None:
    teacher = tiny_unet()
    before, unet = digest(teacher), adapted(teacher)
    optimizer = torch.optim.Adam(trainable(unet), 1e-2)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (output(unet) - 0.5).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert same(digest(teacher), before)


def test_two_adapters_over_one_network_are_two_networks() -> None:
    teacher = tiny_unet()
    one, other = adapted(teacher), adapted(teacher)
    before = output(other)
    moved(one)
    assert torch.equal(output(other), before)


@pytest.mark.parametrize("frozen", [False, True], ids=["its own step", "the generator's step"])
def test_gradient_checkpointing_changes_no_gradient_while_two_networks_take_turns(frozen: bool) -> None:
    """As in the loop: teacher and fake score both stand in one graph, over the same weights."""
    gradients = []
    for checkpointing in (False, True):
        teacher = tiny_unet()
        unet = moved(adapted(teacher))
        for network in (teacher, unet):
            if checkpointing:
                network.enable_gradient_checkpointing()
        unet.requires_grad_(False)
        for weight in trainable(unet):
            weight.requires_grad_(not frozen)
        x = asked()[0].requires_grad_(frozen)
        (output(teacher, x) - output(unet, x)).square().sum().backward()
        gradients.append([x.grad] if frozen else [weight.grad for weight in trainable(unet)])
    for plain, checkpointed in zip(*gradients, strict=True):
        assert plain is not None
        assert plain.abs().sum() > 0
        torch.testing.assert_close(plain, checkpointed)


def test_folded_in_it_is_a_plain_network_that_gives_the_same(tmp_path: Path) -> None:
    teacher = tiny_unet()
    before, unet = digest(teacher), moved(adapted(teacher))
    with torch.no_grad():
        expected = output(unet)
        plain = merged(unet)
        torch.testing.assert_close(output(plain), expected, rtol=1e-5, atol=1e-5)
        assert set(plain.state_dict()) == set(before)
        assert torch.equal(output(unet), expected), "folding changed the network that trains"
        assert same(digest(teacher), before), "folding changed the shared weights"
        plain.save_pretrained(tmp_path)
        # As a stranger's file would be read: names, shapes and configuration are held against the class.
        assert torch.equal(output(load_unet(tmp_path, UNet2DConditionModel).eval()), output(plain))


def test_the_folded_weight_is_w_plus_b_a() -> None:
    unet = moved(adapted(tiny_unet()))
    at = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    state = adapter_state(unet)
    a, b = state[f"{at}.lora_A.fake_score.weight"], state[f"{at}.lora_B.fake_score.weight"]
    weight = unet.get_submodule(at).base_layer.weight
    torch.testing.assert_close(merged(unet).get_submodule(at).weight, weight + b @ a)


def test_a_deep_copy_has_an_adapter_of_its_own() -> None:
    unet = moved(adapted(tiny_unet()))
    twin = copy.deepcopy(unet)
    before = output(twin)
    assert torch.equal(before, output(unet))
    with torch.no_grad():
        for weight in trainable(unet):
            weight.zero_()
    assert torch.equal(output(twin), before)


def test_the_average_follows_the_adapter() -> None:
    teacher = tiny_unet()
    generator, average = adapted(teacher, seed=4), adapted(teacher, seed=4)
    start, before = digest(average), digest(teacher)
    moved(generator)
    update_average(average, generator, 0.5, step=1000)
    for name, mean in adapter_state(average).items():
        torch.testing.assert_close(mean, (start[name] + adapter_state(generator)[name]) / 2)
    assert same(digest(teacher), before)


def test_an_adapter_is_drawn_from_its_seed_alone() -> None:
    drawn = torch.random.get_rng_state()
    one, again, other = (adapter_state(adapted(tiny_unet(), seed)) for seed in (5, 5, 6))
    assert same(one, again)
    assert not same(one, other)
    assert torch.equal(torch.random.get_rng_state(), drawn)


def test_over_weights_in_bf16_the_adapter_trains_in_float32() -> None:
    teacher = tiny_unet().to(torch.bfloat16)
    unet = adapted(teacher)
    assert {weight.dtype for weight in trainable(unet)} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(output(unet), output(teacher))
        output(moved(unet)).float().square().sum().backward()
    assert all(weight.grad is not None and weight.grad.dtype == torch.float32 for weight in trainable(unet))


def test_refusals_say_what_is_wrong() -> None:
    teacher = tiny_unet()
    with pytest.raises(ValueError, match="at least 1, not 0"):
        add_lora(sharing(teacher), DESCRIPTION.adapters, 0, "fake_score")
    unet = adapted(teacher)
    with pytest.raises(ValueError, match="has an adapter already: no second one named 'generator'"):
        add_lora(unet, DESCRIPTION.adapters, RANK, "generator")
