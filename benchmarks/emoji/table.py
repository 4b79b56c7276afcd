"""``emoji.md`` from the parts' results. A part that was not run is said to be missing, never left out of a count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.emoji.figures import Target, drop, shown, signed, speed_targets, targets
from benchmarks.emoji.jobs import DISTILLED, JOBS, PARTS, SPEED, Job
from benchmarks.shared.page import made_by, table
from sfd_core.display.overrides import written_in_words

Results = Mapping[str, Mapping[str, Any]]
"""By part."""


def missing(results: Results) -> list[str]:
    """Return the parts that were not run."""
    return [part for part in PARTS if part not in results]


def all_targets(results: Results) -> list[tuple[str, Target]]:
    """Return every target with the job that it is of; a part that was not run has reached nothing."""
    found = []
    for job in (job for job in JOBS.values() if job.held):
        distilled = DISTILLED + job.beside
        if job.name in results and distilled in results:
            found += [(job.name, one) for one in targets(results[job.name], results[distilled]["figures"])]
        else:
            found.append((job.name, Target("all of it", "run", "not run", False)))
    if SPEED in results:
        found += [(SPEED, one) for one in speed_targets(results[SPEED]["rows"])]
    else:
        found.append((SPEED, Target("all of it", "run", "not run", False)))
    return found


def document(results: Results, curve: Mapping[str, Any] | None) -> str:
    """Write the page. ``curve``: ``emoji-steps.json``."""
    held = all_targets(results)
    reached = sum(target.reached for _, target in held)
    devices = " and ".join(sorted({str(result["device"]) for result in results.values()}))
    jobs = [job for job in JOBS.values() if job.name in results]
    lines = [
        "# What the emoji model forgets",
        "",
        made_by(result["commit"] for result in results.values()),
        "",
        f"{devices}. One run a job, requests fixed before any was finished (`benchmarks/emoji/jobs.py`). *Distilled* "
        "is the one-step generator that has forgotten nothing, from which every job but the last starts, judged by the "
        "same code on the same concepts, prompts and seeds; the base model's figures are "
        "of its reference images, as in every report. 95 % intervals; a drop is distilled minus forgotten, "
        "with Newcombe's interval of independent rates.",
        "",
        f"**{reached} of {len(held)} targets reached.**"
        + "".join(f" Not reached: {job}, {one.what} ({one.measured})." for job, one in held if not one.reached),
        "",
        "![Before and after, the same prompts and seeds](emoji.png)",
        "",
        'In the picture each column is asked for as in "a green pistol, in the style of noto".',
        "",
        *(f"- `{job.name}`: {job.title}" for job in jobs),
        "",
        *_section(
            "Targets",
            ("job", "target", "wanted", "measured", "reached"),
            ((job, one.what, one.wanted, one.measured, "yes" if one.reached else "**no**") for job, one in held),
        ),
        *_gone(jobs, results),
        *_intact(jobs, results),
        *_paraphrases(jobs, results),
        *_cost(jobs, results),
        *_speed(results),
        *_curve(curve),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *notes: str) -> list[str]:
    """A heading, notes, and a table."""
    return [f"## {title}", "", *(line for note in notes for line in (note, "")), table(heads, rows), ""]


def _distilled(job: Job, results: Results) -> Mapping[str, Any] | None:
    result = results.get(DISTILLED + job.beside)
    return result["figures"] if result else None


def _gone(jobs: Sequence[Job], results: Results) -> list[str]:
    rows = []
    for job in jobs:
        base_model = results[job.name]["figures"]["base_model"]["unlearning"]
        for row in results[job.name]["figures"]["unlearning"]:
            distilled = _concept(_distilled(job, results), row["concept"])
            second = row["second_judge"]
            rows.append(
                (
                    job.name,
                    row["concept"],
                    written_in_words(row["override"]),
                    shown(row["accuracy"]),
                    shown(second["accuracy"] if second else None),
                    "" if row["share_override"] is None else f"{row['share_override']:.3f}",
                    ", ".join(f"{name} {share:.2f}" for name, share in row["seen"]),
                    shown(distilled["accuracy"] if distilled else None),
                    f"{base_model[row['concept']]:.3f}",
                )
            )
    heads = ("job", "forgotten", "override", "UA", "by the second judge", "judged as the override", "seen most")
    return _section("Is it gone?", (*heads, "UA of distilled", "UA of the base model"), rows)


def _concept(figures: Mapping[str, Any] | None, concept: str) -> Mapping[str, Any] | None:
    return next((row for row in figures["unlearning"] if row["concept"] == concept), None) if figures else None


def _intact(jobs: Sequence[Job], results: Results) -> list[str]:
    rows = []
    for job in jobs:
        figures = results[job.name]["figures"]
        sides, domains = (figures["base_model"], _distilled(job, results), figures), figures["cross_domain"]
        rows.append((job.name, "IRA", *_compared([side["retained"] if side else None for side in sides])))
        rows += [
            (job.name, f"CRA, {name}", *_compared([side["cross_domain"].get(name) if side else None for side in sides]))
            for name in domains
        ]
        captions = [side["retained_captions"] if side else None for side in sides]
        rows.append((job.name, "unseen captions", *_compared(captions)))
    note = (
        "IRA: what was asked for is seen, over the remaining concepts of the domain. CRA: the other domain's concept "
        "is seen, on the same images. Unseen captions: IRA in other word orders and longer prompts than any that was "
        "trained on."
    )
    heads = ("job", "what", "base model", "distilled", "forgotten", "drop from distilled", "drop from the base model")
    return _section("Is the rest intact?", heads, rows, note)


def _compared(sides: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Base model, distilled, forgotten, and both drops."""
    base_model, distilled, forgotten = sides
    drops = [
        signed(drop(before, forgotten)) if before is not None and forgotten is not None else "not measured"
        for before in (distilled, base_model)
    ]
    return [*(shown(side) for side in sides), *drops]


def _paraphrases(jobs: Sequence[Job], results: Results) -> list[str]:
    rows = []
    for job in jobs:
        distilled = _distilled(job, results)
        for concept in results[job.name]["figures"]["paraphrases"] or ():
            for row in concept["kinds"]:
                before = _kind(distilled, concept["concept"], row["kind"])
                rows.append(
                    (
                        job.name,
                        concept["concept"],
                        row["kind"],
                        row["prompts"][0],
                        shown(row["generator"]),
                        f"{1 - before['generator']['value']:.3f}" if before else "not measured",
                        f"{row['base_model_seen']['value']:.3f}",
                    )
                )
    note = (
        "Ways to ask for what was forgotten that no job was told of. UA: the share of images in which it is not "
        "seen. Where the base model does not show it either, there was nothing to forget."
    )
    heads = ("job", "forgotten", "asked by", "for example", "UA", "distilled shows it", "base model shows it")
    return _section("Robustness to paraphrase", heads, rows, note)


def _kind(figures: Mapping[str, Any] | None, concept: str, kind: str) -> Mapping[str, Any] | None:
    paraphrases = (figures or {}).get("paraphrases") or ()
    return next(
        (row for one in paraphrases if one["concept"] == concept for row in one["kinds"] if row["kind"] == kind), None
    )


def _cost(jobs: Sequence[Job], results: Results) -> list[str]:
    rows = []
    for job in jobs:
        result = results[job.name]
        wall, calls, text = result["wall_seconds"], result["encoder_calls"], result["text"]
        rows.append(
            (
                job.name,
                text["start"],
                f"{result['training_seconds']:.0f}",
                str(result["images"]),
                str(result["steps"]),
                f"{calls['preparing']} / {calls['training']}",
                f"{sum(wall.values()):.0f}" if wall else "resumed",
                result["figures"]["verdict"],
            )
        )
    note = (
        "Training seconds are those of its steps. The whole job has the quick evaluations, the final one, its "
        "pictures and its report too. The verdict holds the generator against the base model, by intervals."
    )
    heads = (
        "job",
        "started at",
        "training s",
        "images",
        "steps",
        "text encoder calls before / in training",
        "whole job s",
    )
    return _section("What it costs", (*heads, "verdict"), rows, note)


def _speed(results: Results) -> list[str]:
    if SPEED not in results:
        return []
    speed = results[SPEED]
    evaluations = speed["steps"] * (1 if speed["guidance"] == 1 else 2)
    rows = [
        (
            row["name"],
            f"{row['one_step_images_per_second']:.1f}",
            f"{row['base_model_images_per_second']:.2f}",
            f"{row['ratio']:.1f} ({min(row['ratios']):.1f} to {max(row['ratios']):.1f})",
        )
        for row in speed["rows"]
    ]
    note = (
        f"One step against the base model's DDIM with {speed['steps']} steps at guidance {speed['guidance']:g}, both "
        "in one run, in turns; medians, decoder included but where it says otherwise. The base model asks its network "
        f"{evaluations} times an image: one step cannot gain more, and decoding, which both do once, takes from that."
    )
    return _section("Speed", ("what", "one step, images/s", "base model, images/s", "ratio (rounds)"), rows, note)


def _curve(curve: Mapping[str, Any] | None) -> list[str]:
    if curve is None:
        return []
    chosen = curve["chosen"]["steps"]
    rows = []
    for point in curve["steps"]:
        cells = (str(point["steps"]), f"{point['object']:.3f}", f"{point['style']:.3f}", f"{point['fd']:.1f}")
        rows.append([f"**{cell}**" if point["steps"] == chosen else cell for cell in cells])
    note = (
        "The base model by its own sampler, from `models/emoji/step_curve.py` ([all of it](emoji-steps.md)). In bold: "
        "the fewest steps that are as good as any.\n\n![Judged right over steps](emoji-steps.svg)"
    )
    heads = ("steps", "object judged right", "style judged right", "FD-EffLite0-320")
    return _section("Where the base model's quality saturates", heads, rows, note)
