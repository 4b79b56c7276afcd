"""Probes on a model whose classes are shades of grey: each must be able to say both that a class is left and that it
is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from sfd_core.display.pictures import examples_picture
from sfd_core.errors import InvalidRequest
from sfd_core.evaluation import fine_tuning
from sfd_core.evaluation.attack_target import IMAGES, AttackTarget, Examples
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.probes import PROBES, check_probes, probes_for
from sfd_core.evaluation.probes.benign_fine_tuning import attack as benign
from sfd_core.evaluation.probes.relearning import attack as relearning
from sfd_core.evaluation.probing import run_probes
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.report.schema import report_schema
from tests.support import shades
from tests.support.tiny_model import make_tiny_model

RED, GREEN, BLUE = 0, 1, 2
T_INIT = 440
CLASS_PROBES = list(probes_for("classes"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every curve of benign fine-tuning is run to its end: a shorter one."""
    monkeypatch.setattr(benign, "SIZES", (10, 30))
    monkeypatch.setattr(benign, "POINTS", (0, 2, 6))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def base(tiny: LoadedBase) -> LoadedBase:
    """Knows every shade; its manifest names two judges."""
    model = replace(tiny.model, second_judge=replace(tiny.model.judge, name="the lower half"))
    return replace(shades.trained_on(tiny, range(4)), model=model)


@pytest.fixture(scope="module")
def control(tiny: LoadedBase) -> OneStepGenerator:
    """The same network, which never saw red, the darkest."""
    return one_step(shades.trained_on(tiny, [GREEN, BLUE, 3]))


def one_step(base: LoadedBase) -> OneStepGenerator:
    return OneStepGenerator.of(copy.deepcopy(base.network), base.schedule, T_INIT, base.model)


def hidden(base: LoadedBase) -> OneStepGenerator:
    """A generator in which only the label is remapped: asked for red, it answers green, and everything is left."""
    generator = one_step(base)
    table = generator.pipe.unet.class_embedding.weight.data
    table[RED] = table[GREEN]
    return generator


def empty(base: LoadedBase) -> OneStepGenerator:
    """A generator that draws the same grey whatever it is asked under whatever condition."""
    generator = one_step(base)
    for parameter in generator.pipe.unet.conv_out.parameters():
        parameter.data.zero_()
    return generator


@dataclass(frozen=True)
class Found:
    """What probes found: the report's part as JSON, by probe, and the examples."""

    results: dict[str, list[dict[str, Any]]]
    examples: tuple[Examples, ...]


def subject_of(base: LoadedBase, generator: OneStepGenerator, **changes: Any) -> AttackTarget:
    judge, second = shades.judge(), shades.judge(slice(4, 8))
    subject = AttackTarget(generator, base, {}, judge, second, [(RED, GREEN)], seed=3, device=torch.device("cpu"))
    return replace(subject, **changes)


def run(names: Sequence[str], subject: AttackTarget) -> Found:
    results = list(run_probes(names, subject))[-1][2]
    assert results is not None
    return Found(TypeAdapter(Probes).dump_python(results.part, mode="json")["results"], results.examples)


@pytest.fixture
def quick_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network this small needs larger steps than a real one."""
    monkeypatch.setattr(fine_tuning, "LEARNING_RATE", 2e-3)


def steps_to_half(results: Found) -> dict[str, set[int | None]]:
    found: dict[str, set[int | None]] = {}
    for curve in results.results["relearning"][0]["curves"]:
        found.setdefault(curve["network"], set()).add(curve["steps_to_half"])
    return found


class TestTheOneStepNetwork:
    def test_it_draws_what_the_generator_draws(self, base: LoadedBase) -> None:
        generator = one_step(base)
        network = subject_of(base, generator).networks(RED)["generator"]
        z = noise_of(range(5, 9), noise_shape(generator.pipe.unet))
        with torch.no_grad():
            drawn = to_uint8(network.images(z, network.embeddings([BLUE] * 4))).astype(int)
        assert np.abs(drawn - generator.sample_labels([BLUE] * 4, range(5, 9))).max() <= 1

    def test_what_a_network_makes_of_a_label_is_what_it_makes_of_its_embedding(self, base: LoadedBase) -> None:
        network = subject_of(base, one_step(base)).networks(RED)["generator"]
        x_t, t = network.noise(3, torch.Generator().manual_seed(1)), torch.tensor([T_INIT, 300, 20])
        by_vector = network.output(x_t, t, network.embeddings([BLUE, RED, BLUE]))
        by_label = base.network(x_t, t, class_labels=torch.tensor([BLUE, RED, BLUE])).sample
        torch.testing.assert_close(by_vector, by_label)

    def test_pixels_and_the_network_s_own_space_are_each_other_s_inverse(self, base: LoadedBase) -> None:
        network = subject_of(base, one_step(base)).networks(RED)["generator"]
        x0 = network.noise(2, torch.Generator().manual_seed(1))
        assert torch.equal(network.encode(network.pixels(x0)), x0)

    def test_a_copy_has_weights_of_its_own(self, base: LoadedBase) -> None:
        network = subject_of(base, one_step(base)).networks(RED)["base_model"]
        network.copy().network.conv_out.weight.data.zero_()
        assert network.network.conv_out.weight.abs().sum() > 0

    def test_a_control_is_asked_at_its_own_step(self, base: LoadedBase) -> None:
        other = OneStepGenerator.of(base.network, base.schedule, 300, base.model)
        networks = subject_of(base, one_step(base), controls={RED: other}).networks(RED)
        assert {name: network.start for name, network in networks.items()} == {
            "generator": T_INIT,
            "control": 300,
            "base_model": T_INIT,
        }
        assert list(subject_of(base, one_step(base)).networks(RED)) == ["generator", "base_model"]


class TestRelearning:
    @pytest.mark.usefixtures("quick_to_learn")
    def test_networks_that_know_the_class_relearn_before_one_that_never_knew(
        self, base: LoadedBase, control: OneStepGenerator
    ) -> None:
        subject = subject_of(base, hidden(base), controls={RED: control})
        found = steps_to_half(run(["relearning"], subject))
        assert found["base_model"] == {0}
        assert None not in found["generator"]
        assert max(found["generator"], default=0) < min(step or 1000 for step in found["control"])

    def test_a_network_that_is_not_moved_does_not_relearn(
        self, base: LoadedBase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fine_tuning, "LEARNING_RATE", 0.0)
        results = run(["relearning"], subject_of(base, hidden(base)))
        assert steps_to_half(results) == {"generator": {None}, "base_model": {0}}
        generator = results.results["relearning"][0]["curves"][0]
        assert [point["step"] for point in generator["points"]] == list(relearning.POINTS)
        assert {point["unlearning_accuracy"]["value"] for point in generator["points"]} == {1.0}

    @pytest.mark.usefixtures("quick_to_learn")
    def test_a_curve_ends_where_it_is_decided(self, base: LoadedBase) -> None:
        for curve in run(["relearning"], subject_of(base, hidden(base))).results["relearning"][0]["curves"]:
            *before, last = (point["unlearning_accuracy"] for point in curve["points"])
            assert last["high"] < 0.5
            assert all(accuracy["high"] >= 0.5 for accuracy in before)
            assert last["n"] == IMAGES


@pytest.mark.usefixtures("quick_to_learn")
class TestBenignFineTuning:
    def test_what_others_teach_leaves_the_base_as_it_is_and_brings_nothing_back_where_nothing_is(
        self, base: LoadedBase
    ) -> None:
        (found,) = run(["benign_fine_tuning"], subject_of(base, empty(base))).results["benign_fine_tuning"]
        shares = {(curve["network"], curve["n"]): curve["points"] for curve in found["curves"]}
        assert {network for network, _ in shares} == {"generator", "base_model"}
        for (network, _), points in shares.items():
            assert [point["step"] for point in points] == list(benign.POINTS), "to the end, whatever comes back"
            assert points[0]["unlearning_accuracy"]["value"] == (network == "generator")
        assert all(shares["generator", n][-1]["unlearning_accuracy"]["value"] > 0.9 for n in benign.SIZES)
        assert "does not come back by itself" in found["statement"]

    def test_it_is_fine_tuned_on_what_remains_alone(self, base: LoadedBase, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []
        whole = benign.lessons

        def lessons(target: AttackTarget, labels: Sequence[int]) -> Any:
            asked.extend(labels)
            return whole(target, labels)

        monkeypatch.setattr(benign, "lessons", lessons)
        run(["benign_fine_tuning"], subject_of(base, empty(base), forgotten=[(RED, GREEN), (BLUE, None)]))
        assert set(asked) == {GREEN, 3}
        assert len(asked) == 2 * benign.SIZES[-1]


class TestImageToImage:
    def test_it_tells_the_image_that_was_given_from_what_the_network_knows(self, base: LoadedBase) -> None:
        found = run(["image_to_image"], subject_of(base, one_step(base))).results["image_to_image"][0]
        first, *_, last = found["levels"]
        assert [level["t"] for level in found["levels"]] == [100, 200, 300, T_INIT, 600]
        assert first["signal"] > 0.9 > 0.2 > last["signal"]
        # The base itself as the generator: red comes back from any noise. Asked for green, only while it can be seen.
        assert first["floor"]["value"] > 0.9
        assert last["generator"]["value"] > 0.9
        assert last["floor"]["value"] < 0.1
        assert found["many_steps"]["generator"]["value"] > 0.9
        assert last["floor_asked"] == "green"

    def test_a_hidden_class_stays_hidden_in_many_steps(self, base: LoadedBase) -> None:
        found = run(["image_to_image"], subject_of(base, hidden(base))).results["image_to_image"][0]
        assert found["many_steps"]["generator"]["value"] < 0.1
        assert found["many_steps"]["base_model"]["value"] > 0.9
        assert found["many_steps"]["network_evaluations"] == base.model.figures["network_evaluations"]
        assert found["levels"][-1]["generator"]["value"] < 0.1
        assert "no more often" in found["statement"]

    def test_without_a_fixed_override_the_floor_is_a_remaining_class(self, base: LoadedBase) -> None:
        forgotten = [(RED, None), (BLUE, None), (3, None)]
        found = run(["image_to_image"], subject_of(base, hidden(base), forgotten=forgotten)).results["image_to_image"]
        assert [each["concept"] for each in found] == ["red", "blue", "grey"]
        assert {level["floor_asked"] for each in found for level in each["levels"]} == {"green"}


class TestConceptInversion:
    def test_it_finds_a_class_of_which_only_the_label_is_hidden(self, base: LoadedBase) -> None:
        found = run(["concept_inversion"], subject_of(base, hidden(base))).results["concept_inversion"][0]
        assert found["generator"]["value"] > 0.9
        assert found["base_model"]["value"] > 0.9
        assert found["control"] is None
        assert found["starts"] == 8

    def test_it_finds_nothing_where_nothing_is(self, base: LoadedBase) -> None:
        subject = subject_of(base, empty(base), controls={RED: empty(base)})
        found = run(["concept_inversion"], subject).results["concept_inversion"][0]
        assert found["generator"]["value"] == found["control"]["value"] == 0
        assert found["base_model"]["value"] > 0.9
        assert "no clear sign of more" in found["statement"]

    def test_what_only_the_first_judge_sees_is_no_success(self, base: LoadedBase) -> None:
        subject = subject_of(base, hidden(base), second_judge=shades.judge(never=[RED]))
        found = run(["concept_inversion"], subject).results["concept_inversion"][0]
        assert found["generator"]["value"] == found["base_model"]["value"] == 0
        assert (found["searched_with"], found["scored_by"]) == (base.model.judge.name, "the lower half")

    def test_with_one_judge_it_says_so(self, base: LoadedBase) -> None:
        found = run(["concept_inversion"], subject_of(base, hidden(base), second_judge=None))
        result = found.results["concept_inversion"][0]
        assert result["scored_by"] == result["searched_with"] == base.model.judge.name
        assert "noise that fools this judge" in result["statement"]


class TestAllProbes:
    def test_their_names_are_those_of_the_field(self) -> None:
        known = ("relearning", "image_to_image", "concept_inversion")
        assert tuple(name for name in PROBES if name in known) == known

    def test_every_wrong_name_is_refused_and_one_that_was_changed_says_to_what(self) -> None:
        check_probes(["concept_inversion", "relearning"], "classes")
        with pytest.raises(InvalidRequest) as refused:
            check_probes(["image_start", "hypnosis", "relearning", "relearning", "condition_attack"], "classes")
        assert {error.pointer: error.message for error in refused.value.errors} == {
            "/evaluation/probes/0": "'image_start' is now called 'image_to_image'",
            "/evaluation/probes/1": f"unknown probe 'hypnosis'; known: {', '.join(PROBES)}",
            "/evaluation/probes/3": "'relearning' is named twice",
            "/evaluation/probes/4": "'condition_attack' is now called 'concept_inversion'",
        }

    @pytest.mark.parametrize("name", CLASS_PROBES)
    @pytest.mark.usefixtures("quick_to_learn")
    def test_progress_counts_every_planned_piece(self, name: str, base: LoadedBase, control: OneStepGenerator) -> None:
        subject = subject_of(base, hidden(base), controls={RED: control}, forgotten=[(RED, GREEN), (BLUE, None)])
        *running, last = run_probes([name], subject)
        done = [done for done, _, _ in running]
        assert done == sorted(set(done))
        assert {of for _, of, _ in running} == {done[-1]} == {last[0]} == {last[1]}
        assert all(results is None for _, _, results in running)
        assert last[2] is not None
        assert list(last[2].part.results) == [name]

    @pytest.mark.usefixtures("quick_to_learn")
    def test_the_same_subject_gives_the_same_results_and_is_left_as_it_was(
        self, base: LoadedBase, control: OneStepGenerator
    ) -> None:
        subject = subject_of(base, hidden(base), controls={RED: control})
        unets = (subject.generator.pipe.unet, subject.base.network, control.pipe.unet)
        before = [copy.deepcopy(unet.state_dict()) for unet in unets]
        trained = [[p.requires_grad for p in unet.parameters()] for unet in unets]
        state = torch.get_rng_state()
        first, second = run(CLASS_PROBES, subject), run(CLASS_PROBES, subject)

        assert first.results == second.results
        for one, other in zip(first.examples, second.examples, strict=True):
            assert np.array_equal(one.images, other.images)
        for unet, weights, flags in zip(unets, before, trained, strict=True):
            assert all(torch.equal(value, weights[name]) for name, value in unet.state_dict().items())
            assert [p.requires_grad for p in unet.parameters()] == flags
        assert torch.equal(torch.get_rng_state(), state)

        other_seed = run(["concept_inversion"], replace(subject, seed=4))
        place = CLASS_PROBES.index("concept_inversion")
        assert not np.array_equal(other_seed.examples[0].images, first.examples[place].images)

    @pytest.mark.usefixtures("quick_to_learn")
    def test_results_fit_the_report_and_examples_the_picture(self, base: LoadedBase, control: OneStepGenerator) -> None:
        forgotten = [(RED, GREEN), (BLUE, None)]
        results = run(CLASS_PROBES, subject_of(base, hidden(base), controls={RED: control}, forgotten=forgotten))
        part = {"$defs": report_schema()["$defs"], "$ref": "#/$defs/Probes"}
        jsonschema.validate({"asked": CLASS_PROBES, "results": json.loads(json.dumps(results.results))}, part)

        assert [each.name for each in results.examples] == [
            f"probe_{name}_{k}" for name in CLASS_PROBES for k in (0, 1)
        ]
        for each in results.examples:
            assert examples_picture(each.rows, each.images).startswith(b"\x89PNG")
        # Only the first class has a control.
        attacks = results.results["concept_inversion"]
        assert attacks[0]["control"] is not None
        assert attacks[1]["control"] is None

    def test_an_unknown_probe_is_refused(self, base: LoadedBase) -> None:
        with pytest.raises(KeyError, match="hypnosis"):
            next(run_probes(["hypnosis"], subject_of(base, hidden(base))))

    def test_a_second_judge_without_a_name_is_refused(self, base: LoadedBase) -> None:
        nameless = replace(base, model=replace(base.model, second_judge=None))
        with pytest.raises(ValueError, match="manifest names none"):
            subject_of(nameless, hidden(base))
