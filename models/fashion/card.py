"""The manifest and the card's figures of the bundled base model, from ``measured.json`` and the files beside it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from models.fashion.bundle import IMAGE, Bundle
from models.fashion.dataset import CONCEPTS
from models.fashion.distil import FASHION
from models.shared.cards import written_anew
from sfd_core.adding.writing import judge_entry
from sfd_core.base_model.manifest import file_sha256

ALWAYS = (
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "scheduler/scheduler_config.json",
    "judge/config.json",
    "judge/model.safetensors",
    "judge/preprocessor_config.json",
    "second_judge/config.json",
    "second_judge/model.safetensors",
    "second_judge/preprocessor_config.json",
)
REFERENCE = "reference.safetensors"
CONTROL_FILES = (
    "model_index.json",
    "pipeline.py",
    "scheduler/scheduler_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
)


GENERATOR, FAKE_SCORE = "distilled/generator", "distilled/fake_score"
"""What ``distil.py`` leaves: the pair that every job starts from."""
NETWORK_FILES = ("config.json", "diffusion_pytorch_model.safetensors")


def manifest(folder: Path, measured: dict[str, Any], bundle: Bundle = FASHION) -> dict[str, Any]:
    """Make the ``manifest.json`` of ``folder``: what was measured, and the digest of every file that a run reads. What
    stage one left is listed where it is there, and controls: generators distilled from a network that never saw the
    concept."""
    distilled = (folder / GENERATOR).is_dir()
    of_pair = [f"{part}/{file}" for part in (GENERATOR, FAKE_SCORE) for file in NETWORK_FILES if distilled]
    controls = {concept: name for concept, name in bundle.controls.items() if (folder / name).is_dir()}
    of_controls = (f"{name}/{file}" for name in controls.values() for file in CONTROL_FILES)
    names = (*ALWAYS, REFERENCE, *bundle.features.values(), *of_pair, *of_controls)
    files = {name: file_sha256(folder / name) for name in names}
    written: dict[str, Any] = {
        "schema_version": 1,
        "name": bundle.name,
        "title": bundle.title,
        "family": bundle.family,
        "license": "MIT (data: Fashion-MNIST, Zalando SE, MIT)",
        "data": "Fashion-MNIST training set, 60 000 images",
        "concepts": list(CONCEPTS),
        "image": dataclasses.asdict(IMAGE),
        "judge": judge_entry("ResNet on real Fashion-MNIST", "judge", measured["judge"], files),
        "second_judge": judge_entry("ConvNeXt on real Fashion-MNIST", "second_judge", measured["second_judge"], files),
        "reference": REFERENCE,
        "features": dict(bundle.features),
        "controls": controls,
        "teacher": measured["teacher"],
        "files": files,
    }
    if distilled:
        written["distilled"] = {"generator": GENERATOR, "fake_score": FAKE_SCORE, "t_init": bundle.recipe.t_init}
        written |= {"recipe": dict(bundle.recommended)} if bundle.recommended else {}
    return written


def with_figures(card: str, measured: dict[str, Any]) -> str:
    """Return the card with its part between the two marks written anew.

    Raises:
        ValueError: for a card without the marks.
    """
    return written_anew(card, _figures(measured))


def _figures(measured: dict[str, Any]) -> str:
    teacher, first, second = measured["teacher"], measured["judge"], measured["second_judge"]
    agree = measured["agreement"]
    columns = (first["by_concept"], second["by_concept"], teacher["by_concept"], teacher["second_judge"]["by_concept"])
    rows = [(concept, *values) for concept, *values in zip(CONCEPTS, *columns, strict=True)]
    totals = (first["accuracy"], second["accuracy"], teacher["accuracy"], teacher["second_judge"]["accuracy"])
    evaluations, images, curve = teacher["network_evaluations"], teacher["images_per_concept"], teacher["step_counts"]
    lines = [
        f"Right answers on the {first['accuracy_images']} real test images, and on {images} images a concept of the",
        f"base model at its own sampler, {teacher['sampler']} with {evaluations} network evaluations an image:",
        "",
        "| concept | judge, real | second judge, real | judge, base model's | second judge, base model's |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {concept} | " + " | ".join(f"{value:.3f}" for value in values) + " |" for concept, *values in rows),
        "| all | " + " | ".join(f"{value:.3f}" for value in totals) + " |",
        "",
        f"The two judges see the same concept in {agree['real']:.3f} of the real images and in {agree['teacher']:.3f}",
        "of the base model's.",
        "",
        "| features | images a side | FD of the base model's images to real ones | two halves of the real ones |",
        "| --- | --- | --- | --- |",
        f"| {teacher['features']} | {first['accuracy_images']} | {teacher['fd_against_real']:.2f} "
        f"| {teacher['fd_floor_real']:.2f} |",
        *(
            f"| {name} | {row['images']} | {row['fd_against_real']:.2f} | {row['fd_floor_real']:.2f} |"
            for name, row in teacher["further_features"].items()
        ),
        "",
        f"Its sampler at other step counts, {curve['images_per_concept']} images a concept each:",
        "",
        f"| {teacher['sampler']} steps | judged right | FD-{teacher['features']} |",
        "| --- | --- | --- |",
        *(_curve_row(steps, row, str(evaluations)) for steps, row in curve["steps"].items()),
        *(_of_stage_one(measured["distilled"]) if "distilled" in measured else ()),
    ]
    return "\n".join(lines) + "\n"


def _of_stage_one(row: dict[str, Any]) -> list[str]:
    """What the one-step generator that forgot nothing draws."""
    images, right, second = row["images_per_concept"], row["accuracy"], row["second_judge"]
    distance, ratio = row["fd_against_real"], row["fd_ratio"]
    covered, distinct = row["coverage_ratio"], row["distinct"]
    return [
        "",
        f"The one-step generator that every job starts from, {images} images a concept: judged right {right:.3f}",
        f"(second judge {second:.3f}); FD to real images {distance:.2f}, {ratio:.2f} times that of as many of the",
        f"base model; it covers {covered:.2f} of the base model's variety, and {distinct:.3f} of its images repeat no",
        "other (docs/report.md).",
    ]


def _curve_row(steps: str, row: dict[str, float], own: str) -> str:
    """A row of the step table; the base model's own step count in bold."""
    mark = "**" if steps == own else ""
    cells = (steps, f"{row['accuracy']:.3f}", f"{row['fd']:.2f}")
    return "| " + " | ".join(f"{mark}{cell}{mark}" for cell in cells) + " |"
