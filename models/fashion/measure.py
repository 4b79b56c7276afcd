"""Measure the bundled base model: both judges on real images, the teacher at its own sampler; write the reference
statistics, the manifest and the card's figures.

    python -m models.fashion.measure                    # after train.py, train_judge.py and train_second_judge.py
    python -m models.fashion.measure --distilled        # after distil.py
    python -m models.fashion.measure --manifest-only    # after a file beside it was added: nothing is measured again

Every figure of the card comes from here.
"""

from __future__ import annotations

import argparse
import json
import shutil
from typing import Any

import numpy as np
from rich.progress import track

from models.fashion.bundle import Bundle
from models.fashion.card import GENERATOR, REFERENCE, manifest, with_figures
from models.fashion.dataset import CONCEPTS, digest, load
from models.fashion.distil import FASHION
from models.shared.judges import second_seen
from sfd_core.adding.measuring import CHUNK, FIRST_SEED, Judges, OwnImages, figures_of, on_real, shares
from sfd_core.base_model.manifest import JudgeInfo
from sfd_core.base_model.safe_files import load_unet
from sfd_core.display.pictures import grid
from sfd_core.evaluation.coverage import coverage
from sfd_core.evaluation.distinct import distinct
from sfd_core.evaluation.features import EffLite0, FeatureExtractor
from sfd_core.evaluation.frechet_pair import frechet_pair
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.metrics import frechet_distance, halves
from sfd_core.evaluation.reference import FeatureReference, Reference
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.images import to_uint8
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of

FEATURES_EACH = 500
"""Images a concept and side whose further features are kept."""
CURVE_EACH = 200
"""Images a concept of each step count of the curve."""


def teacher_samples(base: LoadedBase, steps: int, images: int) -> OwnImages:
    """Draw ``images`` a concept."""
    own, of = OwnImages(), len(CONCEPTS) * images
    sampler = family_of(base.model.family).base_sampler(base, "cpu", steps)
    drawn = own.draw(sampler, len(CONCEPTS), images)
    for _ in track(drawn, description=f"teacher, {steps} steps", total=-(-of // CHUNK)):
        pass
    return own


def first_of_each(labels: np.ndarray) -> np.ndarray:
    """Return the indices of the first ``FEATURES_EACH`` images of every concept, concept by concept."""
    return np.concatenate([np.flatnonzero(labels == i)[:FEATURES_EACH] for i in range(len(CONCEPTS))])


def features_of(
    extractor: FeatureExtractor, real: tuple[np.ndarray, np.ndarray], teacher: tuple[np.ndarray, np.ndarray]
) -> FeatureReference:
    """Return the features of images and labels on both sides."""
    kept, made = first_of_each(real[1]), first_of_each(teacher[1])
    return FeatureReference(
        extractor.name,
        extractor.extract(real[0][kept]),
        real[1][kept],
        extractor.extract(teacher[0][made]),
        teacher[1][made],
    )


def load_parts(bundle: Bundle) -> tuple[LoadedBase, Judges]:
    """Load the teacher and both judges, before there is a manifest."""
    model, second = bundle.unmeasured(), JudgeInfo("", "second_judge", 0.0, 0, (), "")
    base = family_of(bundle.family).load(model, "cpu")
    return base, Judges(ImageJudge.load(model), ImageJudge.load(model, info=second))


def measure(bundle: Bundle, steps: int, images_each: int, other_steps: list[int]) -> dict[str, Any]:
    """Measure everything, and write the reference files and the picture."""
    base, judges = load_parts(bundle)
    test_images, test_labels = load("t10k")
    real_images, real_labels = to_uint8(test_images), test_labels.numpy()
    real = judges.look(real_images, real_labels)
    own = teacher_samples(base, steps, images_each)
    images, labels, teacher = np.concatenate(own.images), np.concatenate(own.labels), own.seen_by(judges)
    Reference(real, teacher).save(bundle.here / REFERENCE)
    (bundle.here / "samples.png").write_bytes(
        grid(images.reshape(len(CONCEPTS), -1, 28, 28)[:, :12].reshape(-1, 28, 28), 12, 2)
    )
    further = {}
    for extractor in [extractor for extractor in (EffLite0(),) if extractor.name in bundle.features]:
        features = features_of(extractor, (real_images, real_labels), (images, labels))
        features.save(bundle.here / bundle.features[extractor.name])
        further[extractor.name] = {
            "images": len(features.real),
            "fd_against_real": round(frechet_distance(features.real, features.base_model), 3),
            "fd_floor_real": round(frechet_distance(*halves(features.real)), 3),
        }
    curve = {}
    # All of as many images: a Frechet distance falls with their number.
    for count in sorted({*other_steps, steps}):
        part = teacher_samples(base, count, CURVE_EACH).seen_by(judges)
        curve[str(count)] = {
            "accuracy": shares(part.seen, part.labels, len(CONCEPTS))["accuracy"],
            "fd": round(frechet_distance(real.features, part.features), 3),
        }
    figures = {
        "sampler": bundle.sampler,
        **figures_of(teacher, real, len(CONCEPTS), steps, own.seconds),
        "further_features": further,
        "step_counts": {"images_per_concept": CURVE_EACH, "steps": curve},
    }
    return {
        "judge": on_real(real.seen, real.labels, len(CONCEPTS)),
        "second_judge": on_real(second_seen(real), real.labels, len(CONCEPTS)),
        "agreement": {
            "real": round(float((real.seen == second_seen(real)).mean()), 4),
            "teacher": round(float((teacher.seen == second_seen(teacher)).mean()), 4),
        },
        "teacher": figures,
        "data_sha256": {split: digest(split) for split in ("train", "t10k")},
    }


def measure_distilled(bundle: Bundle, images_each: int) -> dict[str, Any]:
    """Measure the one-step generator that ``distil.py`` left, at other seeds than the base model's."""
    base, judges = load_parts(bundle)
    network = load_unet(bundle.here / GENERATOR)
    generator = OneStepGenerator.of(network, base.schedule, bundle.recipe.t_init, base.model)
    labels = np.repeat(np.arange(len(CONCEPTS)), images_each)
    images = generator.sample_labels(labels.tolist(), range(2 * FIRST_SEED, 2 * FIRST_SEED + len(labels)))
    seen, reference = judges.look(images, labels), Reference.load(bundle.here / REFERENCE)
    ours, theirs = ([part.only([i]).features for i in range(len(CONCEPTS))] for part in (seen, reference.base_model))
    distance, of_base_model = frechet_pair(reference.real.features, ours, theirs)
    return {
        "images_per_concept": images_each,
        **shares(seen.seen, labels, len(CONCEPTS)),
        "second_judge": shares(second_seen(seen), labels, len(CONCEPTS))["accuracy"],
        "fd_against_real": round(distance.value, 3),
        "fd_ratio": round(distance.value / of_base_model.value, 3),
        "coverage_ratio": round(coverage(theirs, ours).ratio.value, 3),
        "distinct": round(distinct(theirs, ours)[0].value, 4),
    }


JUDGES = ("judge", "second_judge")


def main(bundle: Bundle, parser: argparse.ArgumentParser, judged_as: Bundle | None = None) -> None:
    """Read the command line and measure ``bundle``. ``judged_as``: whose judges are copied into it."""
    here = bundle.here
    parser.add_argument("--steps", type=int, default=bundle.steps, help="steps of the teacher's own sampler")
    parser.add_argument("--images", type=int, default=1000, help="teacher images a concept")
    parser.add_argument("--curve", type=int, nargs="*", default=[5, 10, 50], help="other step counts")
    parser.add_argument("--distilled", action="store_true", help="measure what distil.py left, and nothing else again")
    parser.add_argument("--manifest-only", action="store_true", help="write manifest and card from measured.json")
    arguments = parser.parse_args()
    if judged_as is not None:
        for folder in JUDGES:
            shutil.copytree(judged_as.here / folder, here / folder, dirs_exist_ok=True)
    if arguments.distilled:
        measured = json.loads((here / "measured.json").read_text()) | {"distilled": measure_distilled(bundle, 500)}
        (here / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")
    elif not arguments.manifest_only:
        measured = measure(bundle, arguments.steps, arguments.images, arguments.curve)
        (here / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")
    measured = json.loads((here / "measured.json").read_text())
    (here / "manifest.json").write_text(json.dumps(manifest(here, measured, bundle), indent=2) + "\n")
    card = here / "README.md"
    card.write_text(with_figures(card.read_text(), measured))
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main(FASHION, argparse.ArgumentParser(description=__doc__.splitlines()[0]))
