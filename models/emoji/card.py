"""The manifest and the card's figures of the emoji model, from ``measured.json`` and the files beside it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.emoji.distil import RECIPE
from models.emoji.vocabulary import OBJECTS, STYLES
from models.shared.cards import written_anew
from sfd_core.adding.writing import judge_entry
from sfd_core.base_model.manifest import file_sha256
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION

DOMAINS = ("object", "style")
CONCEPTS = {"object": [thing.name for thing in OBJECTS], "style": [style.name for style in STYLES]}
PIPELINE = (
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "scheduler/scheduler_config.json",
    "vocabulary.json",
)
JUDGE_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
NETWORK_FILES = ("config.json", "diffusion_pytorch_model.safetensors")
REFERENCE = {domain: f"reference-{domain}.safetensors" for domain in DOMAINS}
FEATURES = {domain: {"EffLite0-320": f"reference-{domain}-efflite0.safetensors"} for domain in DOMAINS}
GENERATOR, FAKE_SCORE = "distilled/generator", "distilled/fake_score"
SAMPLES, SAMPLES_DISTILLED = "samples.png", "samples-distilled.png"


def manifest(folder: Path, measured: dict[str, Any]) -> dict[str, Any]:
    """Make the ``manifest.json`` of ``folder``: what was measured, and the digest of every file that a run reads. What
    stage one left is listed where it is there."""
    distilled = (folder / GENERATOR).is_dir()
    names = [*PIPELINE]
    for domain in DOMAINS:
        names += [f"{judge}{domain}/{file}" for judge in ("judge-", "second-judge-") for file in JUDGE_FILES]
        names += [REFERENCE[domain], *FEATURES[domain].values()]
    if distilled:
        names += [f"{part}/{file}" for part in (GENERATOR, FAKE_SCORE) for file in NETWORK_FILES]
    files = {name: file_sha256(folder / name) for name in names}
    written: dict[str, Any] = {
        "schema_version": 1,
        "name": "emoji",
        "title": f"Emoji, {len(OBJECTS)} objects in {len(STYLES)} styles, text to image, 64x64",
        "family": "stable_diffusion",
        "license": "Apache-2.0 (pictures: Noto Emoji, Google, Apache-2.0; Twemoji, Twitter, Inc. and other "
        "contributors, CC-BY 4.0; Fluent Emoji, Microsoft, MIT)",
        "data": f"{len(OBJECTS) * len(STYLES)} emoji of three open sets, on many backgrounds, moved, scaled, turned",
        "image": {"channels": 3, "height": 64, "width": 64, "patch": 1},
        "vocabulary": "vocabulary.json",
        "domains": {domain: _domain(domain, measured, files) for domain in DOMAINS},
        "recipe": recommended(),
        "files": files,
    }
    if distilled:
        written["distilled"] = {"generator": GENERATOR, "fake_score": FAKE_SCORE, "t_init": RECIPE.t_init}
    return written


def recommended() -> dict[str, Any]:
    """Return what a forget job should change in its family's recipe: whatever stage one changed, whose networks it
    starts from."""
    family = asdict(STABLE_DIFFUSION)
    return {name: value for name, value in asdict(RECIPE).items() if value != family[name]}


def _domain(domain: str, measured: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
    judges = measured["judges"][domain]
    return {
        "judge": _judge("ResNet", domain, f"judge-{domain}", judges["judge"], files),
        "second_judge": _judge("ConvNeXt", domain, f"second-judge-{domain}", judges["second_judge"], files),
        "reference": REFERENCE[domain],
        "features": FEATURES[domain],
        "teacher": measured["teacher"][domain],
    }


def _judge(kind: str, domain: str, folder: str, measured: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
    return judge_entry(f"{kind} on real emoji, by {domain}", folder, measured, files)


def with_figures(card: str, measured: dict[str, Any]) -> str:
    """Return the card with its part between the two marks written anew.

    Raises:
        ValueError: for a card without the marks.
    """
    return written_anew(card, _figures(measured))


def _figures(measured: dict[str, Any]) -> str:
    networks = {f"base model, {measured['teacher']['object']['network_evaluations']} steps": measured["teacher"]}
    if "distilled" in measured:
        networks["one step, nothing forgotten"] = measured["distilled"]
    return "\n".join([*_summary(networks, measured), *_by_concept(networks), *_robustness(measured)]) + "\n"


def _summary(networks: dict[str, Any], measured: dict[str, Any]) -> list[str]:
    """One row a network and domain, the real pictures' own first."""
    teacher = measured["teacher"]["object"]
    lines = [
        f"Images of the base model are made by DDIM with {teacher['network_evaluations']} steps at guidance",
        f"{teacher['guidance']:g}, where its quality saturates (`docs/results/emoji-steps.md`). They are asked for as",
        "an evaluation asks: every template, and the other domain's concepts in turn. FD is to real pictures.",
        "",
        "| images | n | domain | judged right | second judge | both see the same | FD-judge-96 | FD-EffLite0-320 |",
        "|" + " --- |" * 8,
    ]
    for domain in DOMAINS:
        judges, real = measured["judges"][domain], measured["teacher"][domain]
        further = real["further_features"]["EffLite0-320"]
        lines.append(
            f"| real | {judges['judge']['accuracy_images']} | {domain} | {judges['judge']['accuracy']:.3f} "
            f"| {judges['second_judge']['accuracy']:.3f} | | {real['fd_floor_real']:.2f} (two halves) "
            f"| {further['fd_floor_real']:.1f} (two halves) |"
        )
        for name, network in networks.items():
            of = network[domain]
            lines.append(
                f"| {name} | {of['images']} | {domain} | {of['accuracy']:.3f} | {of['second_judge']['accuracy']:.3f} "
                f"| {of['judges_agree']:.3f} | {of['fd_against_real']:.2f} "
                f"| {of['further_features']['EffLite0-320']['fd_against_real']:.1f} |"
            )
    speeds = ", ".join(f"{name}: {network['object']['images_per_second']:g}" for name, network in networks.items())
    return [*lines, "", f"Images a second on two CPU cores, decoder included: {speeds}.", ""]


def _by_concept(networks: dict[str, Any]) -> list[str]:
    """A row for each object and style: judged right, and the other domain's judge on the same images."""
    lines = []
    for domain, other in (DOMAINS, DOMAINS[::-1]):
        lines += [
            f"| {domain} | " + " | ".join(f"{name} | its {other}" for name in networks) + " |",
            "|" + " --- |" * (1 + 2 * len(networks)),
        ]
        for i, concept in enumerate(CONCEPTS[domain]):
            pairs = (
                (of[domain]["by_concept"][i], of[domain]["cross_domain"][other]["by_concept"][i])
                for of in networks.values()
            )
            lines.append(f"| {concept} | " + " | ".join(f"{a:.3f} | {b:.3f}" for a, b in pairs) + " |")
        lines.append("")
    return lines


def _robustness(measured: dict[str, Any]) -> list[str]:
    """The judges on held-out pictures that were made worse."""
    rows = {domain: measured["judges"][domain]["robustness"] for domain in DOMAINS}
    kinds = [kind for kind in rows["object"] if kind != "images"]
    lines = [
        f"The judges on {rows['object']['images']} held-out real pictures made worse (blur: standard deviation in",
        "pixels; noise: the same in units of -1..1; imperfect: what the first judge learnt to bear, all at once):",
        "",
        "| | " + " | ".join(kind.replace("_", " ") for kind in kinds) + " |",
        "|" + " --- |" * (1 + len(kinds)),
    ]
    for domain in DOMAINS:
        for judge in ("judge", "second_judge"):
            values = " | ".join(f"{rows[domain][kind][judge]:.3f}" for kind in kinds)
            lines.append(f"| {judge.replace('_', ' ')} of {domain}s | {values} |")
    return lines
