"""Where does the quality of the teacher's sampler saturate? Chooses its guidance, then its number of steps.

    python -m models.emoji.step_curve                   # docs/results/emoji-steps.{json,md,svg}, emoji-steps-fd.svg
    python -m models.emoji.step_curve --guidance 2      # the number of steps alone

The fewest steps that are as good as any: objects and styles judged right within ``NEAR`` of the best of all counts, and
FD on further features within ``NEAR_FD`` of the lowest. The judges' own training made them bear blur and noise, so FD,
which sees both, has a say too. Speeds are of this machine, the decoder included; a guided step is two network
evaluations.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from models.emoji.distil import base_of
from models.emoji.measure import CYCLE, HERE, judges_of, made_pictures, real_pictures, some_of_each
from models.emoji.vocabulary import OBJECTS
from models.shared.judges import second_seen
from sfd_core.adding.measuring import FIRST_SEED
from sfd_core.display.line_charts import Axis, Line, line_chart
from sfd_core.environment import environment
from sfd_core.evaluation.features import EffLite0, Features
from sfd_core.evaluation.metrics import frechet_distance
from sfd_core.families.device import device_name
from sfd_core.families.text.base_sampler import GuidedSampler
from sfd_core.families.text.loaded import LoadedPipeline

COUNTS = (1, 2, 4, 8, 10, 15, 20, 25, 30, 50)
GUIDANCES, GUIDANCE_STEPS = (1.0, 2.0, 3.0, 4.0, 6.0), 15
NEAR, NEAR_FD = 0.01, 1.1
SEED_OFFSET = 50_000_000
"""Other seeds than those of the figures in the manifest: what is chosen here is measured there anew."""


@dataclass(frozen=True)
class Point:
    """The teacher at one sampler. ``object``, ``style``: shares judged right, by the first judge of each; ``second_*``:
    by the second; ``fd``: on further features, to real pictures."""

    steps: int
    guidance: float
    images: int
    object: float
    style: float
    second_object: float
    second_style: float
    fd: float
    images_per_second: float


class Meter:
    """A meter of the teacher at any sampler, always with the same prompts and seeds."""

    def __init__(self, base: LoadedPipeline, each: int) -> None:
        self.base, self.each = base, each
        self.judges = {domain: judges_of(base, domain) for domain in ("object", "style")}
        self.extractor = EffLite0()
        real = real_pictures()
        self.real: Features = self.extractor.extract(real.images[some_of_each(real, 12)])

    def measure(self, steps: int, guidance: float) -> Point:
        teacher, seed = GuidedSampler(self.base, steps, guidance), FIRST_SEED + SEED_OFFSET
        title = f"{steps} steps, guidance {guidance:g}"
        made, seconds = made_pictures(teacher.sample_prompts, self.base, self.each, seed, title)
        seen = {domain: judges.look(made.images, made.labels[domain]) for domain, judges in self.judges.items()}
        first = {domain: float((of.seen == of.labels).mean()) for domain, of in seen.items()}
        second = {domain: float((second_seen(of) == of.labels).mean()) for domain, of in seen.items()}
        return Point(
            steps,
            guidance,
            len(made.images),
            round(first["object"], 4),
            round(first["style"], 4),
            round(second["object"], 4),
            round(second["style"], 4),
            round(frechet_distance(self.real, self.extractor.extract(made.images)), 2),
            round(len(made.images) / seconds, 2),
        )


def good_enough(points: Sequence[Point]) -> list[Point]:
    """Return those that are as good as any of them, in their order. Judged right comes first: FD only ranks those that
    are."""
    right = max(min(point.object, point.style) for point in points) - NEAR
    near = [point for point in points if min(point.object, point.style) >= right]
    lowest = min(point.fd for point in near)
    return [point for point in near if point.fd <= lowest * NEAR_FD]


def saturated(points: Sequence[Point]) -> Point:
    """Return the point of fewest steps that is as good as any."""
    return min(good_enough(points), key=lambda point: point.steps)


def best_guidance(points: Sequence[Point]) -> float:
    """Return, of the guidances whose images are judged right as often as any, the one with the lowest FD."""
    return min(good_enough(points), key=lambda point: point.fd).guidance


def table(points: Sequence[Point], chosen: Point) -> list[str]:
    """Write rows of Markdown, the chosen point in bold."""
    rows = [
        "| steps | guidance | object | style | by the second judges | FD-EffLite0-320 | images/s |",
        "|" + " --- |" * 7,
    ]
    for point in points:
        cells = (
            str(point.steps),
            f"{point.guidance:g}",
            f"{point.object:.3f}",
            f"{point.style:.3f}",
            f"{point.second_object:.3f}, {point.second_style:.3f}",
            f"{point.fd:.1f}",
            f"{point.images_per_second:.1f}",
        )
        bold = (point.steps, point.guidance) == (chosen.steps, chosen.guidance)
        rows.append("| " + " | ".join(f"**{cell}**" if bold else cell for cell in cells) + " |")
    return rows


def document(
    steps: Sequence[Point], guidances: Sequence[Point], chosen: Point, device: str, arguments: Sequence[str]
) -> str:
    """Write ``emoji-steps.md``. ``arguments``: of the command that measured it."""
    command = " ".join(["python -m models.emoji.step_curve", *arguments])
    revision = environment(torch.device("cpu"))["code"]["revision"] or "unknown"
    lines = [
        "# Where the emoji base model's quality saturates",
        "",
        f"Made by `{command}` at commit `{revision[:12]}`.",
        "",
        f"DDIM, {chosen.images} images a row ({chosen.images // len(OBJECTS)} an",
        f"object, the same prompts and seeds in every row), {device}. Shares judged right by the object's and",
        "the style's judge; FD to real pictures. A guided step is two network evaluations.",
        "",
        *table(steps, chosen),
        "",
        f"Chosen: **{chosen.steps} steps**, the fewest judged right within {NEAR:.0%} of the best row whose",
        f"FD is within {NEAR_FD - 1:.0%} of the lowest of those.",
        "",
        "![Judged right over steps](emoji-steps.svg) ![FD over steps](emoji-steps-fd.svg)",
    ]
    if guidances:
        lines += ["", f"## Guidance, at {GUIDANCE_STEPS} steps", "", *table(guidances, chosen)]
    else:
        lines += ["", f"The guidance, {chosen.guidance:g}, was given: others were not measured beside it."]
    return "\n".join(lines) + "\n"


def charts(points: Sequence[Point]) -> dict[str, str]:
    """Draw, by file name, the curve of what is judged right, and of FD."""

    def line(label: str, name: str) -> Line:
        return Line(label, tuple((point.steps, getattr(point, name)) for point in points), said="")

    axis = Axis("DDIM steps", log=True)
    return {
        "emoji-steps.svg": line_chart(
            "Judged right", [line("Object judged right", "object"), line("Style judged right", "style")], True, axis
        ),
        "emoji-steps-fd.svg": line_chart("FD", [line("FD-EffLite0-320 to real pictures", "fd")], False, axis),
    }


def parser() -> argparse.ArgumentParser:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=CYCLE, help=f"an object, a multiple of {CYCLE}")
    parser.add_argument("--guidance", type=float, help="instead of choosing it")
    parser.add_argument("--steps", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "docs/results")
    return parser


def main() -> None:
    arguments = parser().parse_args()
    if arguments.images % CYCLE:
        parser().error(
            f"--images must be a multiple of {CYCLE}, so that every template and style is asked for as often"
        )
    meter = Meter(base_of(HERE), arguments.images)

    def measured(steps: int, guidance: float) -> Point:
        point = meter.measure(steps, guidance)
        print(json.dumps(asdict(point)), flush=True)
        return point

    guidances = [] if arguments.guidance else [measured(GUIDANCE_STEPS, guidance) for guidance in GUIDANCES]
    guidance = arguments.guidance or best_guidance(guidances)
    known = {point.steps: point for point in guidances if point.guidance == guidance}
    points = [known.get(count) or measured(count, guidance) for count in arguments.steps]
    chosen = saturated(points)
    device = device_name(torch.device("cpu"))
    values = {
        "chosen": asdict(chosen),
        "device": device,
        "steps": [asdict(point) for point in points],
        "guidances": [asdict(point) for point in guidances],
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "emoji-steps.json").write_text(json.dumps(values, indent=2) + "\n")
    (arguments.out / "emoji-steps.md").write_text(document(points, guidances, chosen, device, sys.argv[1:]))
    for name, chart in charts(points).items():
        (arguments.out / name).write_text(chart + "\n")


if __name__ == "__main__":
    main()
