"""What `emoji-flow` has of its own: its training's loss, held to the stock pipeline's own way of asking, and a network
that does nothing before it is trained."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from diffusers.models.attention_processor import JointAttnProcessor2_0

from models.emoji_flow.train import HERE, SPREAD, build_pipeline, build_transformer, loss_of, save
from sfd_core.base_model.verifying import verify_files
from sfd_core.evaluation.in_training import generator_of
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.flow.family import FAMILY
from sfd_core.families.flow.parameterization import Flow
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest, recipe_of
from sfd_core.families.sampling import PromptSampler
from sfd_core.families.text.text_parts import TextParts
from sfd_core.training.state import start

PROMPTS = ["a red apple, in the style of noto", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline before it is trained."""
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("emoji-flow")
    save(build_pipeline(build_transformer()), made)
    return made


@pytest.fixture(scope="module")
def text(folder: Path) -> TextParts:
    return FAMILY.load_text(folder)


def test_what_is_bundled_is_whole_and_draws() -> None:
    model = load_manifest(HERE)
    verify_files(model)
    assert model.family == "flow"
    base, recipe = load_base(model), recipe_of("flow", model.recipe)
    generator = generator_of(start(base, recipe, 0, torch.device("cpu")), base, recipe)
    assert isinstance(generator, PromptSampler)
    objects = ["pistol", "banana", "umbrella", "panda"]
    images = generator.sample_prompts([f"a {name}, in the style of twemoji" for name in objects], range(4))
    view = model.view("object")
    assert [view.concepts[i] for i in ImageJudge.load(view).judge(images).seen] == objects


def test_a_network_does_nothing_at_first(text: TextParts) -> None:
    asked = text.embeddings(PROMPTS)
    output = text.output(build_transformer(), torch.randn(2, 16, 8, 8), torch.tensor([300.0, 900.0]), asked)
    assert torch.equal(output, torch.zeros(2, 16, 8, 8))


def test_the_loss_is_that_of_flow_matching(folder: Path, text: TextParts) -> None:
    ours = build_transformer()
    torch.manual_seed(1)
    for weight in ours.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    stock = copy.deepcopy(ours)
    stock.set_attn_processor(JointAttnProcessor2_0())
    x = torch.randn(2, 16, 8, 8)
    torch.manual_seed(2)
    found = loss_of(ours, text, Flow(), x, text.embeddings(PROMPTS))

    torch.manual_seed(2)
    sigma = 1 / (1 + torch.exp(-SPREAD * torch.randn(2)))
    eps = torch.randn(2, 16, 8, 8)
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder, text_encoder_3=None, tokenizer_3=None)
    states, _, pooled, _ = pipeline.encode_prompt(
        PROMPTS, PROMPTS, PROMPTS, do_classifier_free_guidance=False, device="cpu"
    )
    assert states.shape[1] == 36 + 256
    noised = torch.stack([(1 - s) * x_i + s * e for s, x_i, e in zip(sigma, x, eps, strict=True)])
    with torch.no_grad():
        velocity = stock(noised, states.float(), pooled.float(), 1000 * sigma, return_dict=False)[0]
    expected = ((velocity - (eps - x)) ** 2).sum() / x.numel()
    torch.testing.assert_close(found.detach(), expected, rtol=1e-4, atol=0)
