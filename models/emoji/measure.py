"""Measure the emoji model: both judges of each domain on real pictures, the teacher at its own sampler, and the
one-step generator that has forgotten nothing; write the reference files, the manifest and the card's figures.

    python -m models.emoji.measure teacher       # after step_curve.py, which chose the sampler
    python -m models.emoji.measure distilled     # after distil.py
    python -m models.emoji.measure manifest      # nothing is measured again: manifest and card from measured.json

Every figure of the card comes from here. The pictures of both networks are asked for as an evaluation asks, by objects;
a picture shows a style too, so the same pictures are judged in both domains.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from rich.progress import track

from models.emoji.card import DOMAINS, FEATURES, REFERENCE, SAMPLES, SAMPLES_DISTILLED, manifest, with_figures
from models.emoji.distil import RECIPE, base_of, vocabulary_of
from models.emoji.train_judge import CONCEPTS, held_out, labels_of, tests_of
from models.emoji.vocabulary import OBJECTS, STYLES
from models.shared.judges import second_seen
from sfd_core.adding.measuring import FIRST_SEED, Judges, shares
from sfd_core.base_model.manifest import JudgeInfo
from sfd_core.base_model.safe_files import load_unet
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.display.pictures import grid
from sfd_core.evaluation.features import EffLite0, FeatureExtractor, Features
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.metrics import frechet_distance, halves
from sfd_core.evaluation.reference import FeatureReference, Reference, ReferenceSet
from sfd_core.families.images import to_uint8
from sfd_core.families.text.base_sampler import GuidedSampler
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.loaded import LoadedPipeline

HERE = Path(__file__).parent
STEPS = HERE.parents[1] / "docs/results/emoji-steps.json"
CYCLE = 18
"""Images of an object after which every template and style was asked for equally often."""
REAL_ROUNDS = 36
FEATURES_EACH = {"object": 36, "style": 18}
"""Images of each object in each style whose further features are kept, a side: at most 10 MB a file."""
CHUNK = 512

Sample = Callable[[Sequence[str], Sequence[int]], NDArray[np.uint8]]


@dataclass(frozen=True)
class Pictures:
    """Images with their labels. ``images``: uint8 [n, 64, 64, 3]; ``labels``: what each was asked to show, or shows, by
    domain; [n] each."""

    images: NDArray[np.uint8]
    labels: Mapping[str, NDArray[np.int64]]


def judges_of(base: LoadedPipeline, domain: str) -> Judges:
    """Load the two judges of a domain before there is a manifest that names them."""

    def judge(folder: str) -> ImageJudge:
        info = JudgeInfo("", folder, None, 0, (), "")
        return ImageJudge.load(dataclasses.replace(base.model, concepts=CONCEPTS[domain], judge=info))

    return Judges(judge(f"judge-{domain}"), judge(f"second-judge-{domain}"))


def real_pictures() -> Pictures:
    """Make real pictures that no judge was trained on."""
    x, drawings = held_out(REAL_ROUNDS)
    return Pictures(to_uint8(x), {domain: labels_of(domain, drawings).numpy() for domain in DOMAINS})


def made_pictures(
    sample: Sample, base: LoadedPipeline, each: int, first_seed: int, title: str
) -> tuple[Pictures, float]:
    """Make ``each`` images an object, asked for as an evaluation asks; returns also the seconds that they took."""
    prompts = EvaluationPrompts(vocabulary_of(base), "object")
    labels = np.repeat(np.arange(len(CONCEPTS["object"])), each)
    seeds = list(range(first_seed, first_seed + len(labels)))
    asked = [prompts.asked(int(label), seed) for label, seed in zip(labels, seeds, strict=True)]
    began, pieces = time.monotonic(), []
    for i in track(range(0, len(asked), CHUNK), description=title):
        pieces.append(sample([one.prompt for one in asked[i : i + CHUNK]], seeds[i : i + CHUNK]))
    styles = np.array([one.others["style"] for one in asked])
    return Pictures(np.concatenate(pieces), {"object": labels, "style": styles}), time.monotonic() - began


def figures(part: ReferenceSet, real: ReferenceSet, concepts: int) -> dict[str, Any]:
    """Return what one domain's judges say of a network's images, and how far these are from real pictures."""
    return {
        "images": len(part.labels),
        **shares(part.seen, part.labels, concepts),
        "second_judge": shares(second_seen(part), part.labels, concepts),
        "judges_agree": round(float((part.seen == second_seen(part)).mean()), 4),
        "features": f"judge-{part.features.shape[1]}",
        "fd_against_real": round(frechet_distance(real.features, part.features), 3),
        "fd_floor_real": round(frechet_distance(*halves(real.features)), 3),
    }


def right_by(domain: str, other: str, parts: Mapping[str, ReferenceSet]) -> dict[str, Any]:
    """Return how often ``other``'s judge sees what was asked for, by the concepts of ``domain``: forgetting in the one
    domain must leave it be."""
    right, labels = parts[other].seen == parts[other].labels, parts[domain].labels
    by_concept = [round(float(right[labels == i].mean()), 4) for i in range(len(CONCEPTS[domain]))]
    return {other: {"accuracy": round(float(right.mean()), 4), "by_concept": by_concept}}


def judges_on_real(judges: Judges, real: ReferenceSet, domain: str) -> dict[str, Any]:
    """Return both judges' figures in the manifest, and the first's on pictures that are worse than real ones."""
    concepts = len(CONCEPTS[domain])
    x, drawings = held_out()
    labels = labels_of(domain, drawings).numpy()
    worse = {
        name: {
            kind: round(float((judge.judge(to_uint8(made)).seen == labels).mean()), 4)
            for kind, judge in (("judge", judges.first), ("second_judge", judges.second))
            if judge is not None
        }
        for name, made in tests_of(x).items()
    }
    return {
        "judge": {"accuracy_images": len(real.labels), **shares(real.seen, real.labels, concepts)},
        "second_judge": {"accuracy_images": len(real.labels), **shares(second_seen(real), real.labels, concepts)},
        "robustness": {"images": len(labels), **worse},
    }


def some_of_each(pictures: Pictures, each: int) -> NDArray[np.int64]:
    """Return the indices of the first ``each`` pictures of every object in every style."""
    object_, style = (pictures.labels[domain] for domain in DOMAINS)
    pairs = [np.flatnonzero((object_ == i) & (style == k)) for i in range(len(OBJECTS)) for k in range(len(STYLES))]
    return np.concatenate([pair[:each] for pair in pairs])


def further_reference(
    extractor: FeatureExtractor, domain: str, real: Pictures, teacher: Pictures, features: Sequence[Features]
) -> FeatureReference:
    """Return what is kept of the further features, of ``real`` and ``teacher`` in turn."""
    kept = [some_of_each(part, FEATURES_EACH[domain]) for part in (real, teacher)]
    (of_real, labels), (of_base_model, base_model_labels) = (
        (values[chosen], part.labels[domain][chosen])
        for part, values, chosen in zip((real, teacher), features, kept, strict=True)
    )
    return FeatureReference(extractor.name, of_real, labels, of_base_model, base_model_labels)


def contact_sheet(sample: Sample, base: LoadedPipeline) -> bytes:
    """Draw two images of each object in each style, four objects a row: what was asked for is in reading order."""
    vocabulary = vocabulary_of(base)
    prompts = [
        vocabulary.prompt(vocabulary.templates[0], {"object": thing.name, "style": style.name}, thing.adjective)
        for thing in vocabulary.domains["object"]
        for style in vocabulary.domains["style"]
        for _ in range(2)
    ]
    return grid(sample(prompts, range(len(prompts))), columns=24)


def measure_teacher(base: LoadedPipeline, each: int) -> dict[str, Any]:
    """Measure judges and teacher; writes the reference files and the teacher's contact sheet."""
    sampler = json.loads(STEPS.read_text())["chosen"]
    teacher = GuidedSampler(base, sampler["steps"], sampler["guidance"])
    real = real_pictures()
    made, seconds = made_pictures(teacher.sample_prompts, base, each, FIRST_SEED, f"teacher, {teacher.steps} steps")
    extractor = EffLite0()
    further = [extractor.extract(part.images) for part in (real, made)]
    measured: dict[str, Any] = {"judges": {}, "teacher": {}}
    parts = {}
    for domain in DOMAINS:
        judges = judges_of(base, domain)
        of_real, parts[domain] = (judges.look(part.images, part.labels[domain]) for part in (real, made))
        Reference(of_real, parts[domain]).save(HERE / REFERENCE[domain])
        features = further_reference(extractor, domain, real, made, further)
        features.save(HERE / FEATURES[domain][extractor.name])
        measured["judges"][domain] = judges_on_real(judges, of_real, domain)
        measured["teacher"][domain] = {
            "sampler": "DDIM",
            "network_evaluations": teacher.steps,
            "guidance": teacher.guidance,
            "images_per_concept": len(made.images) // len(CONCEPTS[domain]),
            **figures(parts[domain], of_real, len(CONCEPTS[domain])),
            "further_features": {
                extractor.name: {
                    "images": len(features.real),
                    "fd_against_real": round(frechet_distance(features.real, features.base_model), 3),
                    "fd_floor_real": round(frechet_distance(*halves(features.real)), 3),
                }
            },
            "images_per_second": round(len(made.images) / seconds, 1),
        }
    for domain, other in (DOMAINS, DOMAINS[::-1]):
        measured["teacher"][domain]["cross_domain"] = right_by(domain, other, parts)
    (HERE / SAMPLES).write_bytes(contact_sheet(teacher.sample_prompts, base))
    return measured


def measure_distilled(base: LoadedPipeline, each: int) -> dict[str, Any]:
    """Measure the one-step generator that has forgotten nothing, at other seeds than the teacher's."""
    unet = load_unet(HERE / "distilled/generator", UNet2DConditionModel)
    generator = TextGenerator.of(unet, base, RECIPE.t_init)
    first_seed = FIRST_SEED + 100_000_000
    made, seconds = made_pictures(generator.sample_prompts, base, each, first_seed, "generator, 1 step")
    extractor = EffLite0()
    some = extractor.extract(made.images[some_of_each(made, FEATURES_EACH["object"])])
    distilled: dict[str, Any] = {}
    parts = {}
    for domain in DOMAINS:
        reference = Reference.load(HERE / REFERENCE[domain])
        parts[domain] = judges_of(base, domain).look(made.images, made.labels[domain])
        further = FeatureReference.load(HERE / FEATURES[domain][extractor.name])
        distilled[domain] = {
            **figures(parts[domain], reference.real, len(CONCEPTS[domain])),
            "fd_against_teacher": round(frechet_distance(reference.base_model.features, parts[domain].features), 3),
            "further_features": {
                extractor.name: {
                    "images": len(some),
                    "fd_against_real": round(frechet_distance(further.real, some), 3),
                    "fd_against_teacher": round(frechet_distance(further.base_model, some), 3),
                }
            },
            "images_per_second": round(len(made.images) / seconds, 1),
        }
    for domain, other in (DOMAINS, DOMAINS[::-1]):
        distilled[domain]["cross_domain"] = right_by(domain, other, parts)
    (HERE / SAMPLES_DISTILLED).write_bytes(contact_sheet(generator.sample_prompts, base))
    return {"distilled": distilled}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["teacher", "distilled", "manifest"])
    parser.add_argument(
        "--images", type=int, help=f"an object; default {6 * CYCLE} of the teacher, {20 * CYCLE} distilled"
    )
    arguments = parser.parse_args()
    if arguments.images and arguments.images % CYCLE:
        parser.error(f"--images must be a multiple of {CYCLE}, so that every template and style is asked for as often")
    path = HERE / "measured.json"
    measured = json.loads(path.read_text()) if path.exists() else {}
    torch.manual_seed(0)
    if arguments.what == "teacher":
        measured = measured | measure_teacher(base_of(HERE), arguments.images or 6 * CYCLE)
    elif arguments.what == "distilled":
        measured = measured | measure_distilled(base_of(HERE), arguments.images or 20 * CYCLE)
    path.write_text(json.dumps(measured, indent=2) + "\n")
    (HERE / "manifest.json").write_text(json.dumps(manifest(HERE, measured), indent=2) + "\n")
    card = HERE / "README.md"
    card.write_text(with_figures(card.read_text(), measured))


if __name__ == "__main__":
    main()
