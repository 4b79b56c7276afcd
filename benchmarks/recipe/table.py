"""The page and the charts of ``benchmarks.recipe``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence

import torch

from benchmarks.recipe.targets import DROP, RATIO, SINGLE, UA, Goal, Point, Reached, joint, reached, times_ahead
from benchmarks.shared.arrangements import OURS, THEIRS
from benchmarks.shared.experiment import Experiment
from benchmarks.shared.page import ROOT, page, table
from sfd_core.base_model.manifest import BaseModel
from sfd_core.display.line_charts import Axis, Level, Line, line_chart
from sfd_core.evaluation.intervals import Interval
from sfd_core.families.registry import describe
from sfd_core.request.recipe import Recipe

WANTED = 5
"""How many times sooner ours is to reach the targets."""
PAPER_STEPS = 50_000
GOAL_HEADS = ("target", f"{OURS}, training s", f"{THEIRS}, training s", "times as long")
POINT_HEADS = ("arrangement", "training s", "steps", "UA [95 %]", "RA", "RA drop [95 %]", "Frechet ratio [95 %]")

Points = Mapping[str, Sequence[Point]]
"""By the arrangement's name, in the order of training."""


def document(experiment: Experiment, points: Points, base_model_right: Interval, arguments: argparse.Namespace) -> str:
    """Write the page: when each target was first held, what both arrangements are, and every point."""
    model, (concept, override) = experiment.base.model, arguments.forget.split("=")
    return page(
        f"Seconds of training until a target is reached, {concept} -> {override}",
        f"`{model.name}`, {torch.get_num_threads()} thread(s), both arrangements in turns in one process. Seconds are "
        "the processor's, of training alone. Each arrangement stops once it has reached every target below, or at the "
        f"end of its budget: {arguments.ours:g} s for ours, {arguments.seconds:g} s for the published one.",
        f"A point judges {arguments.forgotten_images} images of the forgotten concept and {arguments.images} of each "
        "other, of the averaged generator, on the seeds of an evaluation, the same at every point. A target counts as "
        "reached at the first of two consecutive points that hold it: a single one may be luck. It is held by the "
        "lower bound of UA's 95 % interval, and by the estimates of the others. The drop is below the base model's "
        f"own RA, {base_model_right.value:.4f}; the ratio is of the Frechet distances to real images, on the judge's "
        "features of remaining concepts, of as many images on both sides.",
        "## Each target, and together",
        table(GOAL_HEADS, [goal_row(goal, points) for goal in (*SINGLE, *joint(points[OURS]))]),
        f"The last column is the published arrangement's seconds over ours; wanted: {WANTED}. Each further point is "
        f"{arguments.growth:g} times later, so a target was reached somewhere between its point and the one before: "
        "in brackets is what this leaves open. The last row asks for the ratio that ours ends with, the larger of its "
        "last two points' rounded up, and was chosen by that.",
        "![Accuracies over seconds](recipe.svg) ![Frechet ratio over seconds](recipe-frechet.svg)",
        "## The two arrangements",
        table(
            ("", OURS, THEIRS, "the paper's settings"),
            settings(experiment.request.recipe, describe(experiment.base.model.family).recipe.batch, points),
        ),
        "In the published arrangement's favour: it has our learning rates and average, which are made for hundreds of "
        f"steps, takes no time for `L_deep`, and may train {arguments.seconds / arguments.ours:.0f} times as long. At "
        f"its {per_step(points[THEIRS]):.2f} s a step, on half the paper's images, its {PAPER_STEPS} steps would take "
        f"{PAPER_STEPS * per_step(points[THEIRS]) / 3600:.0f} hours. Both ways: its forgotten images weigh as much as "
        "the others, which forgets sooner and leaves less to what is kept. Against it: it starts from the base model. "
        f"{first_stage(model)}",
        "## Every point",
        table(POINT_HEADS, [cells(name, point) for name in (OURS, THEIRS) for point in points[name]]),
    )


def goal_row(goal: Goal, points: Points) -> Sequence[object]:
    """Write when each arrangement reached ``goal``."""
    ours, theirs = points[OURS], points[THEIRS]
    return goal.name, reached_in(ours, goal), reached_in(theirs, goal), times_ahead(ours, theirs, goal)


def reached_in(points: Sequence[Point], goal: Goal) -> str:
    """Say when ``goal`` was reached and whether later points miss it; or that it was not, and what came closest."""
    if (found := reached(points, goal)) is not None:
        return f"{found.point.seconds:.0f} (step {found.point.step}){later(points, found, goal)}"
    said = f"not within {points[-1].seconds:.0f} s"
    closest, last = goal.closest(points), goal.targets[-1]
    where = " where the others hold" if len(goal.targets) > 1 else ""
    if closest is None:
        return f"{said}; the others are held together at no point"
    alone = ", at no two points in a row" if goal.held(closest) else ""
    return f"{said}; best{where}: {last.figure(closest):.4f} at {closest.seconds:.0f} s{alone}"


def later(points: Sequence[Point], found: Reached, goal: Goal) -> str:
    """Say how many of the later points miss a goal that was reached; nothing if none does."""
    after = [point for point in points if point.seconds > found.point.seconds]
    missing = sum(not goal.held(point) for point in after)
    return f"; {missing} of {len(after)} later points miss it" if missing else ""


def settings(recipe: Recipe, batch: int, points: Points) -> list[Sequence[object]]:
    """Write both arrangements' settings beside the paper's (docs/recipes.md has these with their sources). ``batch``:
    of the published arrangement."""
    forgotten = recipe.forgotten_images(1)
    kept = recipe.batch - forgotten
    rates = f"{recipe.lr_generator:g}, {recipe.lr_fake_score:g}"
    return [
        ("starts as", "the shipped first stage", "the base model", "the base model"),
        ("images a step", f"{kept} + {forgotten}", f"{batch} + {batch}, for each network", "128 + 128"),
        (
            "weight of the forgotten images beside the others",
            f"{recipe.forget_weight * forgotten / kept:.3f}",
            f"{recipe.forget_weight:g}",
            "0.01",
        ),
        ("`L_deep`", f"weight {recipe.deep_weight:g}, {recipe.deep_images} images", "none", "none"),
        ("learning rates of generator, fake score", rates, rates, "1e-05, 1e-05"),
        ("average", f"{recipe.ema:g}", f"{recipe.ema:g}", "0.9999"),
        ("steps", *(points[name][-1].step for name in (OURS, THEIRS)), PAPER_STEPS),
        ("s a step", *(f"{per_step(points[name]):.2f}" for name in (OURS, THEIRS)), ""),
    ]


def per_step(points: Sequence[Point]) -> float:
    """Return the seconds of a step, over all of the training."""
    return points[-1].seconds / points[-1].step


def first_stage(model: BaseModel) -> str:
    """Say what the making of the first stage took, by its log."""
    log = model.folder / "distilled/distil.log.jsonl"
    ends = {row["part"]: row["seconds"] for row in map(json.loads, log.read_text().splitlines())}
    return (
        "The first stage that ours starts from took "
        f"{sum(ends.values()):.0f} s of training, once for the base model, by `{log.relative_to(ROOT)}`, and its pairs "
        "had to be drawn before. These are in no figure above."
    )


def cells(name: str, point: Point) -> Sequence[object]:
    """Write the row of one point."""
    return (
        name,
        f"{point.seconds:.1f}",
        point.step,
        bounds(point.ua, ".4f"),
        f"{point.ra.value:.4f}",
        bounds(point.drop, "+.4f"),
        bounds(point.ratio, ".2f"),
    )


def bounds(interval: Interval, style: str) -> str:
    """Write an estimate with its interval."""
    return f"{interval.value:{style}} [{interval.low:{style}}, {interval.high:{style}}]"


def charts(points: Points, base_model_right: float) -> dict[str, str]:
    """Draw, by file name, the accuracies and the Frechet ratio over the seconds of training."""
    axis = Axis("seconds of training", log=True)

    def lines(label: str, figure: Callable[[Point], float], level: Level) -> list[Line]:
        return [
            Line(f"{label}, {who}", tuple((point.seconds, figure(point)) for point in points[name]), level=level)
            for who, name in (("ours", OURS), ("published", THEIRS))
        ]

    accuracies = [
        *lines("UA lower bound", UA.figure, Level("wanted", UA.limit)),
        *lines("RA", lambda point: point.ra.value, Level("wanted", base_model_right - DROP.limit)),
    ]
    ratios = lines("Frechet ratio", RATIO.figure, Level("wanted", RATIO.limit))
    return {
        "recipe.svg": line_chart("Accuracies", accuracies, True, axis),
        "recipe-frechet.svg": line_chart("Frechet ratio", ratios, False, axis),
    }
