"""Two processes that each hold their shards, and one that holds all: the same networks after the same steps, and each
reads what the other has saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from sfd_core.admission import admit
from sfd_core.evaluation.in_training import generator_of
from sfd_core.families.registry import load_manifest
from sfd_core.prepared import Checkpoints, Prepared
from sfd_core.training import checkpoint
from sfd_core.training.loop import Steps, follow
from sfd_core.training.ranks import ALONE, Next, Ranks
from sfd_core.training.sharding import ShardedGroup
from sfd_core.training.state import PARTS
from tests.support.ranks import CPU, in_ranks
from tests.support.tiny_dit_model import make_tiny_dit_model
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_text_model import make_tiny_text_model

CLOSE = 1e-5
"""Beside weights that move by a thousand times as much."""
STEPS = 5
NETWORKS = PARTS[:3]
WHOLE = dict.fromkeys(NETWORKS, 1.0)
GUIDED: dict[str, Any] = {"kappa1": 1.5, "kappa2": 2.0, "kappa3": 2.5, "kappa4": 3.0, "condition_dropout": 0.3}
MODELS = {
    "unet": (make_tiny_model, {"concept": "red", "override": "green"}),
    "dit": (make_tiny_dit_model, {"concept": "hen", "override": "tench"}),
    "text": (make_tiny_text_model, {"concept": "grapes", "override": "cat"}),
}
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "whole batches": ("unet", {"batch": 8, "forgotten_share": 0.25, "fake_score_updates": 2}),
    "odd": ("unet", {"batch": 7, "forgotten_share": 0.45, "forget_weight": 0.3, "gradient_checkpointing": True}),
    "no image of L_deep": ("unet", {"batch": 5, "forgotten_share": 0.2, "deep_share": 0.4}),
    "a piece more": ("unet", {"batch": 5, "forgotten_share": 0.25, "micro_batch": 2, "deep_share": 1.0}),
    "dit": ("dit", {"batch": 5, "micro_batch": 2, "gradient_checkpointing": True, **GUIDED}),
    "text": ("text", {"batch": 5, "micro_batch": 2, "deep_share": 1.0}),
    "fake score by an adapter": ("text", {"batch": 5, "lora_rank_fake_score": 2}),
}
IN_BF16 = "odd, in bf16"


def prepared(models: Path, name: str, ranks: Ranks = ALONE, earlier: Path | None = None) -> Prepared:
    kind, recipe = RECIPES[name.removesuffix(", in bf16")]
    recipe = {**recipe, "precision": "bf16-weights"} if name == IN_BF16 else recipe
    # Adam's first steps are signs of gradients: with a large epsilon they follow the gradient as closely as it is.
    recipe = {"adam_epsilon": 0.01, "clip_value": 1e6, "lr_generator": 1e-3, "lr_fake_score": 1e-3, **recipe}
    body = {"forget": [MODELS[kind][1]], "budget": {"images": 1000}, "recipe": recipe}
    checkpoints = None if earlier is None else Checkpoints(earlier)
    return Prepared.of(admit(body, load_manifest(models / kind)), CPU, checkpoints, ranks=ranks)


def parts_of(run: Prepared) -> dict[str, dict[str, Tensor]]:
    return {part: {name: t.clone() for name, t in run.state.gathered(part).items()} for part in PARTS}


def advanced(run: Prepared, steps: int, folder: Path | None = None) -> dict[str, Any]:
    """What the first process has after so many steps, of which it makes a checkpoint in ``folder``."""
    ranks = run.state.ranks
    if ranks.number:
        follow(run.state, run.base, run.request, plan=run.plan, judge=run.judge)
        return {"held": held(run)}
    before, losses = parts_of(run), []
    taken = Steps(run.state, run.base, run.request.recipe, run.plan, run.judge)
    for _ in range(steps):
        ranks.say_next(Next(run.state.step))
        losses.append(taken.take())
    after = parts_of(run)
    if folder is not None:
        checkpoint.save(run.state, folder)
    # It runs while the other process only waits.
    generator = generator_of(run.state, run.base, run.request.recipe)
    ranks.say_next(None)
    rng = run.state.rng.get_state()
    kind = type(generator.network).__name__
    weights = {name: weight.detach() for name, weight in generator.network.named_parameters()}
    return {"before": before, "after": after, "losses": losses, "rng": rng, "kind": kind, "weights": weights,
            "held": held(run)}  # fmt: skip


def held(run: Prepared) -> dict[str, float]:
    """The share of each network's weights, and of what Adam keeps of the generator's, that this process has."""
    tensors = {name: list(getattr(run.state, name).parameters()) for name in NETWORKS}
    tensors["moments"] = [moments["exp_avg"] for moments in run.state.optimizer_generator.state.values()]
    return {name: sum(map(local, each)) / sum(t.numel() for t in each) for name, each in tensors.items()}


def local(tensor: Tensor) -> int:
    return (tensor.to_local() if isinstance(tensor, DTensor) else tensor).numel()


def apart_by_a_step(ranks: Ranks, models: Path) -> str:
    """The first process gathers the average of step 3, the second has read the checkpoint of step 2."""
    run = prepared(models, "odd", ranks)
    run.state.step = 2
    if ranks.number == 0:
        ranks.say_next(Next(3, PARTS.index("average")))
        return ""
    with pytest.raises(RuntimeError) as refused:
        follow(run.state, run.base, run.request, plan=run.plan)
    return str(refused.value)


def run_where_it_is_kept(ranks: Ranks, models: Path) -> str:
    """Only one process runs the average, of which each has a part."""
    run = prepared(models, "odd", ranks)
    if ranks.number:
        return ""
    with pytest.raises(RuntimeError) as refused:
        run.state.average(torch.zeros(1, 1, 8, 8), torch.zeros(1), class_labels=torch.zeros(1, dtype=torch.long))
    return str(refused.value)


def everything(ranks: ShardedGroup, models: Path, theirs: Path, ours: Path) -> dict[str, Any]:
    """All that is asked of two processes, in one start of them."""
    return {
        "steps": {name: advanced(prepared(models, name, ranks), STEPS) for name in RECIPES},
        "bf16": advanced(prepared(models, IN_BF16, ranks), 1),
        "saved": advanced(prepared(models, "a piece more", ranks), 2, ours),
        "read": advanced(prepared(models, "a piece more", ranks, theirs), 2),
        "apart": apart_by_a_step(ranks, models),
        "run": run_where_it_is_kept(ranks, models),
        "pieces": [[(i.tolist(), share) for i, share in ranks.pieces(n, most)] for n, most in ((1, 1), (5, 2), (4, 9))],
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for kind, (make, _) in MODELS.items():
        make(folder / kind)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, models: Path) -> tuple[Path, Path]:
    """Where one process has made a checkpoint of two steps, and where two shall."""
    theirs, ours = (tmp_path_factory.mktemp(name) for name in ("theirs", "ours"))
    advanced(prepared(models, "a piece more"), 2, theirs)
    return theirs, ours


@pytest.fixture(scope="module")
def both(models: Path, checkpoints: tuple[Path, Path]) -> list[dict[str, Any]]:
    return in_ranks(2, everything, models, *checkpoints, group=ShardedGroup)


def apart(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """The largest difference."""
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in theirs)


def gradients(run: Mapping[str, Any], optimizer: str) -> dict[str, Tensor]:
    """The last ones: without momentum Adam's first moments are."""
    return {name: moment for name, moment in run["after"][optimizer].items() if name.endswith(".exp_avg")}


def apart_of_all(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """The largest difference, as a share of the largest number."""
    return apart(ours, theirs) / max(float(t.abs().max()) for t in theirs.values())


def equal(ours: Mapping[str, Mapping[str, Tensor]], theirs: Mapping[str, Mapping[str, Tensor]]) -> bool:
    """Whether all parts are, bit for bit."""
    assert ours.keys() == theirs.keys()
    return all(
        ours[part].keys() == theirs[part].keys() and all(torch.equal(ours[part][n], t) for n, t in theirs[part].items())
        for part in theirs
    )


@pytest.mark.parametrize("name", RECIPES)
def test_two_that_hold_shards_train_what_one_does(both: list[dict[str, Any]], models: Path, name: str) -> None:
    ours, alone = both[0]["steps"][name], advanced(prepared(models, name), STEPS)
    assert torch.equal(ours["rng"], alone["rng"]), "the draws are others"
    assert equal(ours["before"], alone["before"])
    for part in NETWORKS:
        assert apart(alone["after"][part], alone["before"][part]) > 500 * CLOSE, "nothing is trained"
        assert apart(ours["after"][part], alone["after"][part]) < CLOSE
    for part in PARTS[3:]:
        assert apart_of_all(gradients(ours, part), gradients(alone, part)) < 1e-4
    for a, b in zip(ours["losses"], alone["losses"], strict=True):
        assert a == pytest.approx(b, abs=1e-5 * max(b))


def test_two_that_hold_shards_in_bf16_add_up_what_one_does(both: list[dict[str, Any]], models: Path) -> None:
    """To two of its three digits, and in it."""
    ours, alone = both[0]["bf16"], advanced(prepared(models, IN_BF16), 1)
    for part in PARTS[3:]:
        assert all(gradient.dtype == torch.bfloat16 for gradient in gradients(ours, part).values())
        assert apart_of_all(gradients(ours, part), gradients(alone, part)) < 0.02
    assert all(weight.dtype == torch.float32 for weight in ours["weights"].values()), "the average is not"


@pytest.mark.parametrize("name", RECIPES)
def test_each_holds_half_of_what_is_trained_whole(both: list[dict[str, Any]], name: str) -> None:
    first, second = (process["steps"][name]["held"] for process in both)
    whole = {"fake_score"} if name == "fake score by an adapter" else set()
    for part in first:
        if part in whole:
            assert (first[part], second[part]) == (1, 1)
        else:
            assert first[part] + second[part] == pytest.approx(1)
            assert 0.45 < second[part] <= first[part] < 0.55


@pytest.mark.parametrize("name", ["odd", "dit", "text"])
def test_what_is_looked_at_is_a_plain_network_of_the_average(both: list[dict[str, Any]], name: str) -> None:
    kinds = {"odd": "UNet2DModel", "dit": "DiTTransformer2DModel", "text": "UNet2DConditionModel"}
    ours = both[0]["steps"][name]
    assert ours["kind"] == kinds[name]
    assert all(type(weight) is Tensor for weight in ours["weights"].values())
    assert equal({"average": ours["weights"]}, {"average": ours["after"]["average"]})


def test_one_process_reads_what_two_have_saved(
    both: list[dict[str, Any]], models: Path, checkpoints: tuple[Path, Path]
) -> None:
    run = prepared(models, "a piece more", earlier=checkpoints[1])
    assert run.state.step == 2
    assert equal(parts_of(run), both[0]["saved"]["after"])


def test_a_checkpoint_is_the_same_files_whoever_wrote_it(
    both: list[dict[str, Any]], checkpoints: tuple[Path, Path]
) -> None:
    theirs, ours = ({path.name: path for path in folder.glob("*/*")} for folder in checkpoints)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        if name.endswith(".safetensors"):
            a, b = load_file(ours[name]), load_file(theirs[name])
            assert {key: (t.shape, t.dtype) for key, t in a.items()} == {
                key: (t.shape, t.dtype) for key, t in b.items()
            }


def test_two_go_on_from_what_one_has_saved(
    both: list[dict[str, Any]], models: Path, checkpoints: tuple[Path, Path]
) -> None:
    run = prepared(models, "a piece more", earlier=checkpoints[0])
    ours, alone = both[0]["read"], advanced(run, 2)
    assert equal(ours["before"], alone["before"])
    assert run.state.step == 4
    for part in NETWORKS:
        assert apart(ours["after"][part], alone["after"][part]) < CLOSE


def test_what_the_first_gathers_is_of_one_step(both: list[dict[str, Any]]) -> None:
    """Else half of the pictured weights would be another step's."""
    assert both[1]["apart"] == "this process stands at step 2, and the one that leads at 3"


def test_running_shards_that_are_only_kept_is_an_error_and_no_wait(both: list[dict[str, Any]]) -> None:
    assert "mixed torch.Tensor and DTensor" in both[0]["run"]


def test_all_have_as_many_pieces_and_count_every_image_once(both: list[dict[str, Any]]) -> None:
    first, second = (process["pieces"] for process in both)
    assert first == [[([0], 1.0)], [([0, 2], 0.4), ([4], 0.2)], [([0, 2], 0.5)]]
    assert second == [[([0], 0.0)], [([1, 3], 0.4), ([0], 0.0)], [([1, 3], 0.5)]]


def test_a_process_that_is_alone_has_the_average_itself(models: Path) -> None:
    state = prepared(models, "odd").state
    assert state.whole("average") is state.average
