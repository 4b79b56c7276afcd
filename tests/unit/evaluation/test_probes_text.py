"""Probes on a model to which a word is a shade of grey: each must be able to say both that a concept is left and that
it is not."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from sfd_core.evaluation import fine_tuning
from sfd_core.evaluation.attack_target import AttackTarget
from sfd_core.evaluation.climbing import Climb
from sfd_core.evaluation.likeness import Likeness
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.probes import probes_for
from sfd_core.evaluation.probes.benign_fine_tuning import attack as benign
from sfd_core.evaluation.probes.relearning import attack as relearning
from sfd_core.evaluation.probes.token_search import attack as token_search
from sfd_core.evaluation.probing import run_probes
from sfd_core.families.attacked import PromptedNetwork
from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of
from sfd_core.families.sampling import evaluation_prompts
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.loaded import LoadedPipeline
from tests.support import text_shades
from tests.support.shades import SHADES
from tests.support.tiny_text_model import make_tiny_text_model

BANANA, PISTOL, CASTLE = 1, 2, 3
CPU = torch.device("cpu")
TEXT_PROBES = list(probes_for("prompts"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(benign, "SIZES", (10, 30))
    monkeypatch.setattr(benign, "POINTS", (0, 2, 6))
    monkeypatch.setattr(relearning, "SIZES", (10, 30))
    monkeypatch.setattr(fine_tuning, "LEARNING_RATE", 1e-4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LoadedPipeline:
    model = make_tiny_text_model(tmp_path_factory.mktemp("tiny"), prediction_type="v_prediction", domains=True)
    return cast(LoadedPipeline, load_base(model.view("object")))


@pytest.fixture(scope="module")
def base(tiny: LoadedPipeline) -> LoadedPipeline:
    """Knows every object; its manifest names two judges, and no first stage."""
    known = text_shades.knowing(tiny)
    judge = known.model.judge
    assert judge is not None
    return replace(known, model=replace(known.model, second_judge=replace(judge, name="the lower half")))


def hidden(base: LoadedPipeline) -> TextGenerator:
    """A generator in which the pistol's prompts alone lead to a banana: whatever else is read leads where it did."""
    return TextGenerator.of(copy.deepcopy(text_shades.knowing(base, {PISTOL: BANANA}).network), base, 440)


def empty(base: LoadedPipeline) -> TextGenerator:
    """A generator that draws the same grey, which is no pistol's, whatever it is asked."""
    network = copy.deepcopy(base.network)
    network.shade.weight.data.zero_()
    network.shade.bias.data.fill_(SHADES[0])
    return TextGenerator.of(network, base, 440)


def target_of(base: LoadedPipeline, generator: TextGenerator, **changes: Any) -> AttackTarget:
    made = {"second_judge": text_shades.judge(slice(8, 16)), "images": 40, **changes}
    forgotten, prompts = [(PISTOL, BANANA)], evaluation_prompts(base.model)
    return AttackTarget(
        generator, base, {}, text_shades.judge(), made.pop("second_judge"), forgotten, 3, CPU, prompts, **made
    )


def run(names: Sequence[str], target: AttackTarget) -> dict[str, Any]:
    results = list(run_probes(names, target))[-1][2]
    assert results is not None
    written = TypeAdapter(Probes).dump_python(results.part, mode="json")["results"]
    return {name: rows[0] for name, rows in written.items()}


def shares(found: dict[str, Any], kind: str) -> dict[str, list[float]]:
    by_network: dict[str, list[float]] = {}
    for each in found["attempts"]:
        if each["kind"] == kind:
            by_network.setdefault(each["network"], []).append(each["share"]["value"])
    return by_network


class TestTheNetwork:
    def test_it_draws_what_the_generator_draws(self, tiny: LoadedPipeline) -> None:
        generator = TextGenerator.of(tiny.network, tiny, 440)
        network = family_of("stable_diffusion").attacked(tiny.network, tiny, generator.start)
        prompts = ["a banana", "castle, noto style"]
        z = noise_of([4, 5], noise_shape(tiny.network))
        with torch.no_grad():
            drawn = to_uint8(network.images(z, network.embeddings(prompts))).astype(int)
        assert np.abs(drawn - generator.sample_prompts(prompts, [4, 5])).max() <= 1

    def test_tokens_are_read_as_the_prompt_that_they_are(self, tiny: LoadedPipeline) -> None:
        network = family_of("stable_diffusion").attacked(tiny.network, tiny, 440)
        assert isinstance(network, PromptedNetwork)
        rows = dict(network.words())
        tokens = network.token_table[[rows[word] for word in ("pistol", "castle", "cat")]]
        assert torch.equal(network.read(tokens[None]), network.embeddings(["pistol castle cat"]))
        (reader,) = tiny.text.readers
        assert len(reader.token_table) == reader.encoder.config.vocab_size, "the encoder keeps its own table"
        assert torch.equal(network.read(tokens[None]), network.embeddings(["pistol castle cat"])), "and reads with it"

    def test_every_word_of_the_vocabulary_is_typed_as_itself(self, tiny: LoadedPipeline) -> None:
        network = family_of("stable_diffusion").attacked(tiny.network, tiny, 440)
        assert isinstance(network, PromptedNetwork)
        words = network.words()
        assert {"pistol", "banana", "cat", "a"} <= {word for word, _ in words}
        (reader,) = tiny.text.readers
        typed = reader.tokenizer(" ".join(word for word, _ in words), add_special_tokens=False).input_ids
        assert torch.equal(reader.token_table[typed], network.token_table[[row for _, row in words]])

    def test_guidance_is_that_of_the_base_model_s_sampler(self, tiny: LoadedPipeline) -> None:
        network = family_of("stable_diffusion").attacked(tiny.network, tiny, 440)
        x_t = network.noise(2, torch.Generator().manual_seed(0))
        c, n = network.embeddings(["a pistol", "cat"]), network.embeddings(["", ""])
        with torch.no_grad():
            away, towards = network.denoise(x_t, 300, n), network.denoise(x_t, 300, c)
            torch.testing.assert_close(network.guided(x_t, 300, c), away + 2.0 * (towards - away))

    def test_an_image_is_found_again_by_its_encoding(self, tiny: LoadedPipeline, base: LoadedPipeline) -> None:
        network = family_of("stable_diffusion").attacked(base.network, base, 440)
        images = torch.linspace(-1, 1, 2).view(2, 1, 1, 1).expand(2, 3, 16, 16)
        torch.testing.assert_close(network.pixels(network.encode(images)), images)
        stock = family_of("stable_diffusion").attacked(tiny.network, tiny, 440)
        latents = (
            tiny.text.autoencoder.vae.encode(images).latent_dist.mode()
            * tiny.text.autoencoder.vae.config.scaling_factor
        )
        torch.testing.assert_close(stock.encode(images), latents)


class TestTokenSearch:
    def test_it_finds_what_only_other_prompts_lead_to(self, base: LoadedPipeline) -> None:
        found = run(["token_search"], target_of(base, hidden(base)))["token_search"]
        for network in ("generator", "base_model"):
            assert shares(found, "soft")[network][-1] > 0.9
        assert [each["tokens"] for each in found["attempts"]][:5] == [1, 2, 3, 4, 4]
        assert found["floor"]["n"] == 40
        assert found["features"] is None
        assert {each["alike"] for each in found["attempts"]} == {None}
        words = [each for each in found["attempts"] if each["kind"] == "real"]
        assert all(len(each["prompt"].split()) == token_search.WORDS for each in words)

    def test_it_finds_nothing_where_nothing_is(self, base: LoadedPipeline) -> None:
        found = run(["token_search"], target_of(base, empty(base)))["token_search"]
        assert {*shares(found, "soft")["generator"], *shares(found, "real")["generator"]} == {0.0}
        assert found["floor"]["value"] == 0
        assert shares(found, "soft")["base_model"][-1] > 0.9
        assert "Under neither is pistol seen more often" in found["statement"]

    def test_the_judge_that_led_does_not_count(self, base: LoadedPipeline) -> None:
        blind = text_shades.judge(never=[PISTOL])
        found = run(["token_search"], target_of(base, hidden(base), second_judge=blind))["token_search"]
        assert {share for kind in ("soft", "real") for row in shares(found, kind).values() for share in row} == {0.0}
        assert (found["searched_with"], found["scored_by"]) == (base.model.judge.name, "the lower half")

    def test_what_is_seen_and_does_not_look_like_it_is_told_apart(self, base: LoadedPipeline) -> None:
        """Features by which the generator's pistols are far from the base model's: a judge that sees them is fooled."""

        class Shift:
            name, digest = "shift", "sha256:" + "0" * 64
            seen = 0

            def extract(self, images: Any) -> Any:
                self.seen += 1
                mean = images.reshape(len(images), -1).mean(axis=1, keepdims=True)
                return (mean + 100 * (self.seen > 1)).astype(np.float32)

        found = run(["token_search"], target_of(base, hidden(base), extractor=Shift()))["token_search"]
        soft = [each for each in found["attempts"] if each["kind"] == "soft" and each["tokens"] == 4]
        assert all(each["share"]["value"] > 0.9 for each in soft)
        assert {each["alike"]["value"] for each in soft} == {0.0}
        assert "Few of these images look like the base model's own" in found["statement"]

    def test_a_search_ends_where_it_has_arrived(self, base: LoadedPipeline) -> None:
        target = target_of(base, hidden(base))
        network = target.networks(PISTOL)["base_model"]
        assert isinstance(network, PromptedNetwork)
        start = network.token_table[[dict(network.words())["pistol"]]][None]
        for enough, moved in ((-100.0, False), (100.0, True)):
            climb = Climb(target, network, PISTOL, torch.Generator().manual_seed(0), 0.1, network.read, enough)
            reached, _ = _last(climb.run(start, 6, 4))
            assert moved == (float((reached - start).abs().max()) > 0.15)


class TestFineTuning:
    def test_what_is_fine_tuned_on_the_concept_draws_it_again(self, base: LoadedPipeline) -> None:
        found = run(["relearning"], target_of(base, hidden(base)))["relearning"]
        steps = {(curve["network"], curve["n"]): curve["steps_to_half"] for curve in found["curves"]}
        assert {steps["base_model", n] for n in (10, 30)} == {0}
        assert None not in {steps["generator", n] for n in (10, 30)}
        assert found["scored_by"] == "the lower half"

    def test_other_concepts_bring_nothing_back_where_nothing_is(self, base: LoadedPipeline) -> None:
        found = run(["benign_fine_tuning"], target_of(base, empty(base)))["benign_fine_tuning"]
        ends = {(c["network"], c["n"]): c["points"][-1]["unlearning_accuracy"]["value"] for c in found["curves"]}
        assert {ends["base_model", n] for n in (10, 30)} == {0.0}, "and it stays where it was"
        assert {ends["generator", n] for n in (10, 30)} == {1.0}
        assert "does not come back by itself" in found["statement"]

    def test_they_are_asked_for_by_their_own_prompts(self, base: LoadedPipeline) -> None:
        target = target_of(base, hidden(base))
        assert target.asked([PISTOL, CASTLE], [0, 1]) == [
            "a green pistol, in the style of noto",
            "castle, noto style",
        ]


class TestImageToImage:
    def test_it_tells_the_image_that_was_given_from_what_the_network_knows(self, base: LoadedPipeline) -> None:
        of_base = TextGenerator.of(base.network, base, 440)
        for generator, left in ((of_base, True), (hidden(base), False)):
            found = run(["image_to_image"], target_of(base, generator))["image_to_image"]
            assert [level["t"] for level in found["levels"]] == [100, 200, 300, 440, 600]
            for level in found["levels"]:
                assert (level["generator"]["value"] > 0.9) == left
                assert level["base_model"]["value"] > 0.9
                assert level["floor"]["value"] < 0.1
            assert (found["many_steps"]["generator"]["value"] > 0.9) == left
            assert found["many_steps"]["network_evaluations"] == 4
            assert found["levels"][0]["first_stage"] is None


class TestAll:
    def test_their_names(self) -> None:
        assert TEXT_PROBES == ["relearning", "benign_fine_tuning", "image_to_image", "token_search"]

    def test_progress_counts_every_planned_piece_and_the_same_target_gives_the_same(self, base: LoadedPipeline) -> None:
        target = target_of(base, hidden(base), images=8)
        *running, last = run_probes(TEXT_PROBES, target)
        done = [done for done, _, _ in running]
        assert done == sorted(set(done))
        assert {of for _, of, _ in running} == {done[-1]} == {last[0]}
        assert last[2] is not None
        assert run(TEXT_PROBES, target) == {
            name: rows[0]
            for name, rows in TypeAdapter(Probes).dump_python(last[2].part, mode="json")["results"].items()
        }

    def test_a_first_stage_is_among_the_networks(self, tiny: LoadedPipeline) -> None:
        target = target_of(tiny, TextGenerator.of(tiny.network, tiny, 440), second_judge=None)
        assert list(target.networks(PISTOL)) == target.names(PISTOL) == ["generator", "first_stage", "base_model"]
        assert target.networks(PISTOL)["first_stage"].start == 625, "at the time that it was made for"
        assert benign.tuned(target, PISTOL) == ["generator", "first_stage"]

    def test_the_base_model_draws_for_every_probe_once(self, base: LoadedPipeline) -> None:
        target = target_of(base, hidden(base))
        first = _last(target.base_images([PISTOL] * 60))
        drawn = list(target.drawn.values())
        assert first.shape == (60, 16, 16, 3)
        assert np.array_equal(first, _last(target.base_images([PISTOL] * 60)))
        assert all(one is other for one, other in zip(target.drawn.values(), drawn, strict=True))
        assert np.array_equal(first, _last(target_of(base, hidden(base)).base_images([PISTOL] * 60)))
        assert (text_shades.judge().judge(first).seen == PISTOL).mean() > 0.9


def _last(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


def test_likeness_is_what_lies_as_near_as_a_tenth_of_the_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    reference, images = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(30, 3)).astype(np.float32) * 2
    alike = Likeness.to(reference, lambda points: points).of(images)
    for image, like in zip(images, alike, strict=True):
        written_out = False
        for i, one in enumerate(reference):
            others = sorted(np.linalg.norm(one - other) for j, other in enumerate(reference) if j != i)
            written_out |= bool(np.linalg.norm(image - one) <= others[3])
        assert like == written_out
    assert 0 < alike.mean() < 1
