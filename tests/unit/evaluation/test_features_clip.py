"""CLIP score on a tiny random CLIP made here, against torchmetrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchmetrics.multimodal import CLIPScore
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

from sfd_core.admission import admit
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.clip import ClipModel
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.zero_shot import ClipJudge, photo_of
from sfd_core.families.stable_diffusion import plain_text_model

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PROMPTS = ["a sneaker", "a bag", "an ankle boot", "a coat", "a dress"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of two layers a tower, with a vocabulary of letters."""
    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    words = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{c}</w>" for c in LETTERS)]
    tokenizer = CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[])
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    text = {**tower, **ends, "vocab_size": len(words), "max_position_embeddings": 16}
    vision = {**tower, "image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).eval()
    with torch.no_grad():  # its usual start makes all images nearly alike
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder)
    return folder


def pictures(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


def torchmetrics_of(folder: Path) -> CLIPScore:
    """torchmetrics' own score; it was written for a transformers whose features were plain tensors."""
    model = CLIPModel.from_pretrained(folder)
    plain = SimpleNamespace(
        get_image_features=lambda *a: model.get_image_features(*a).pooler_output,
        get_text_features=lambda *a: model.get_text_features(*a).pooler_output,
        config=model.config,
    )
    plain.to = lambda device: plain
    processor = CLIPProcessor(CLIPImageProcessorPil.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder))
    return CLIPScore(model_name_or_path=lambda: (plain, processor))


def test_scores_are_those_of_torchmetrics(folder: Path) -> None:
    images = pictures(5, 40, 32, 3)
    scores = ClipModel(folder).scores(images, PROMPTS)
    assert scores.std() > 1  # images and prompts differ, or equal scores would say little
    for image, prompt, score in zip(images, PROMPTS, scores, strict=True):
        metric = torchmetrics_of(folder)
        metric.update(torch.from_numpy(image).permute(2, 0, 1), prompt)
        assert float(metric.compute()) == pytest.approx(max(0.0, score), abs=1e-3)
    assert (scores > 0).any()


def test_a_score_belongs_to_its_own_prompt(folder: Path) -> None:
    clip, images = ClipModel(folder), pictures(5, 32, 32, 3)
    forward = clip.scores(images, PROMPTS)
    assert clip.scores(images[::-1].copy(), PROMPTS[::-1]) == pytest.approx(forward[::-1], abs=1e-4)
    assert clip.scores(images, [PROMPTS[0]] * 5)[1:] != pytest.approx(forward[1:], abs=0.1)


def test_grey_images_are_seen_as_grey_rgb(folder: Path) -> None:
    clip, grey = ClipModel(folder), pictures(5, 28, 28)
    assert np.array_equal(clip.scores(grey, PROMPTS), clip.scores(np.repeat(grey[..., None], 3, -1), PROMPTS))


def test_a_prompt_longer_than_the_text_tower_is_cut(folder: Path) -> None:
    assert np.isfinite(ClipModel(folder).scores(pictures(1, 28, 28), ["a coat " * 50])).all()


def test_numbers_that_do_not_fit_are_refused(folder: Path) -> None:
    clip = ClipModel(folder)
    with pytest.raises(ValueError, match="5 prompts for 4 images"):
        clip.scores(pictures(4, 28, 28), PROMPTS)


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_the_digest_covers_every_file_that_is_read(folder: Path, tmp_path: Path) -> None:
    before = ClipModel(folder).digest
    other = copied(folder, tmp_path / "other")
    assert ClipModel(other).digest == before
    config = json.loads((other / "preprocessor_config.json").read_text())
    (other / "preprocessor_config.json").write_text(json.dumps({**config, "do_center_crop": False}))
    assert ClipModel(other).digest != before


def test_missing_weights_are_refused_not_drawn_at_random(folder: Path, tmp_path: Path) -> None:
    other = copied(folder, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelRefused, match=r"1 weights are missing, the first is text_projection\.weight"):
        ClipModel(other)


def test_what_is_no_clip_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"config\.json: not readable"):
        ClipModel(tmp_path / "nothing")
    other = copied(folder, tmp_path / "pickled")
    torch.save(load_file(other / "model.safetensors"), other / "pytorch_model.bin")
    (other / "model.safetensors").unlink()
    with pytest.raises(ModelRefused, match="no CLIP model can be loaded"):
        ClipModel(other)
    (other / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelRefused, match="model_type is 'bert', must be 'clip'"):
        ClipModel(other)
    (other / "config.json").write_text('{"model_type": "clip", "auto_map": {"AutoModel": "x.Y"}}')
    with pytest.raises(ModelRefused, match="code of its own"):
        ClipModel(other)


def test_as_a_judge_it_gives_what_clip_itself_gives(folder: Path) -> None:
    clip, images = ClipModel(folder), pictures(3, 32, 32, 3)
    judgement = ClipJudge(clip, [(prompt,) for prompt in PROMPTS]).judge(images)
    model = CLIPModel.from_pretrained(folder)
    processor = CLIPProcessor(CLIPImageProcessorPil.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder))
    inputs = processor(text=PROMPTS, images=list(images), return_tensors="pt", padding=True)
    with torch.no_grad():
        expected = model(**inputs).logits_per_image.softmax(dim=1).numpy()
    assert expected.std() > 0.01  # the texts are told apart, or equal numbers would say little
    assert judgement.probabilities == pytest.approx(expected, abs=1e-4)
    assert judgement.probabilities.dtype == judgement.features.dtype == np.float32
    assert np.linalg.norm(judgement.features, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert ClipJudge(clip, [PROMPTS[:1]]).judge(images[:0]).seen.shape == (0,)


def test_several_texts_of_a_concept_are_averaged(folder: Path) -> None:
    """Second implementation: cosines to the mean of unit vectors, by torch."""
    clip, images = ClipModel(folder), pictures(3, 32, 32, 3)
    probabilities = ClipJudge(clip, [PROMPTS[:2], PROMPTS[2:]]).judge(images).probabilities
    texts, seen = (torch.from_numpy(of) for of in (clip.embed_texts(PROMPTS), clip.embed_images(images)))
    means = torch.stack([texts[:2].mean(0), texts[2:].mean(0)])
    cosines = torch.nn.functional.cosine_similarity(seen[:, None], means[None], dim=-1)
    torch.testing.assert_close(torch.from_numpy(probabilities), (clip.scale * cosines).softmax(1).float())


@pytest.mark.parametrize(
    ("concept", "texts"),
    [
        ("gun", ("a photo of a gun", "a photo of gun")),
        ("apple", ("a photo of an apple", "a photo of apple")),
        ("Ankle boot", ("a photo of an Ankle boot", "a photo of Ankle boot")),
        ("a middle aged man", ("a photo of a middle aged man",)),
        ("The Beatles", ("a photo of The Beatles",)),
    ],
)
def test_a_concept_stands_for_a_photo_of_it(concept: str, texts: tuple[str, ...]) -> None:
    assert photo_of(concept) == texts


def test_what_is_forgotten_is_a_photo_and_a_caption_stands_for_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first prompt of a concept is its bare word, which the captions' rule once took it for a caption by."""
    given: list[Sequence[Sequence[str]]] = []
    original = ClipJudge.__init__

    def noting(self: ClipJudge, clip: ClipModel, texts: Sequence[Sequence[str]]) -> None:
        given.append(texts)
        original(self, clip, texts)

    monkeypatch.setattr(ClipJudge, "__init__", noting)
    body = {
        "forget": [{"concept": "gun", "override": "a red apple"}],
        "retain": {"prompts": ["an old castle", "a dog"]},
        "budget": {"images": 8},
    }
    admitted = admit(body, plain_text_model("words", "Words"))
    asking = Evaluators(admitted.model, None, None, clip=ClipModel(folder)).asking(admitted.request, admitted.plan)
    assert asking.model.concepts == ("gun", "a red apple", "an old castle", "a dog")
    assert given == [[*map(photo_of, ("gun", "a red apple")), ("an old castle",), ("a dog",)]]
