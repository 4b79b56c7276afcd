"""The page of ``benchmarks.many``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.shared.page import page, table

HEADS = (
    *("objects", "", "evaluations an image", "UA", "UA of the one where it is lowest"),
    *("RA before", "RA after", "drop", "drop of the nearest", "seconds"),
)


def document(rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], commits: Sequence[str]) -> str:
    """Write the page of every row's figures. ``sizes``: of the rows, by the names of the command's options."""
    return page(
        "Many objects forgotten at once, by Lethe, ESD and UCE",
        f"`emoji`, {sizes['forgotten_images']} images asked for each forgotten object and {sizes['images']} for each "
        "other one, the same seeds, prompts and judge for every row; 95 % intervals. UA: share of the images asked for "
        "a forgotten object in which the judge does not see it, over all of them, and of the one where it is lowest. "
        "RA: share of the images of the other objects in which it sees what was asked, the base model's before and "
        "after. The nearest: of each forgotten object the three others that the judge mixes up with it most in the "
        "base model's images. Seconds: of the method itself, on the same processor, without what is measured here.",
        f"Lethe trains on {sizes['budget']} images however many are forgotten, and makes a one-step generator. ESD "
        f"tunes cross-attention for {sizes['esd_steps']} steps an object, UCE edits it in closed form; both leave the "
        "base model's steps. Both are small implementations of our own. As published are ESD's guidance (1) and UCE's "
        "weight of the projection as it was (0.1). Ours are ESD's steps, batch and learning rate, chosen for a network "
        "of this size, and UCE's weight of what stays: 1 on each token of the prompts that are kept, where the "
        "published code has max(0.1, 1 / prompts), on the padding too.",
        table(HEADS, map(_row, rows)),
        commits=commits,
    )


def _row(row: Mapping[str, Any]) -> Sequence[object]:
    kept, least = row["retained"], row["least"]
    return (
        row["objects"],
        row["method"],
        row["network_evaluations"],
        _interval(row["unlearned"]),
        f"{least['value']:.3f} ({least['concept']})",
        f"{kept['before']['value']:.3f}",
        f"{kept['after']['value']:.3f}",
        _interval(kept["drop"]),
        _interval(row["near"]["drop"]),
        f"{row['seconds']:.1f}",
    )


def _interval(measured: Mapping[str, float]) -> str:
    return f"{measured['value']:.3f} [{measured['low']:.3f}, {measured['high']:.3f}]"
