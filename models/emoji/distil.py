"""Stage one: distil the base model into a one-step generator that has forgotten nothing. Made once, kept with the base
model; every forget job starts from it.

    python -m models.emoji.distil                  # resumes from build/emoji-distilled if it was interrupted

It is the loop of every job (``sfd_core.training.loop``) with nothing to forget: Score identity Distillation
(arXiv 2404.04057) over the prompts of the vocabulary. What is kept is the moving average of the generator and the fake
score as it stands, in half precision.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from rich.progress import Progress

from sfd_core.adding.distilling import first_stage
from sfd_core.base_model.safe_files import load_unet
from sfd_core.base_model.vocabulary import Vocabulary, load_vocabulary
from sfd_core.families.schedules import load_schedule
from sfd_core.families.stable_diffusion import plain_text_model
from sfd_core.families.stable_diffusion.family import FAMILY, PIPELINE
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.families.text.schedulers import OVER_STEPS
from sfd_core.request.recipe import Recipe
from sfd_core.training.state import save_pair

HERE = Path(__file__).parent
SEED = 0
IMAGES = 32 * 600
RECIPE = dataclasses.replace(
    STABLE_DIFFUSION,
    batch=32,
    lr_generator=1e-4,
    lr_fake_score=3e-4,
    ema=0.995,
    kappa1=1.0,
    kappa2=1.0,
    kappa3=1.0,
    kappa4=3.0,
    condition_dropout=0.1,
    evaluate_every=25,
    deep_weight=0,
)
"""Guided on the teacher's side alone: the fake score learns what the generator draws, the teacher what it should. What
a job forgets from here is gone at every time without ``L_deep`` (docs/results/attacks.md)."""


def base_of(folder: Path) -> LoadedPipeline:
    """Load the teacher without its manifest, which is written after everything was measured."""
    model = dataclasses.replace(
        plain_text_model("emoji", "Emoji"), vocabulary=load_vocabulary(folder / "vocabulary.json"), folder=folder
    )
    network, text = load_unet(folder / "unet", UNet2DConditionModel), FAMILY.load_text(folder)
    return LoadedPipeline(model, network, load_schedule(folder), text, PIPELINE, OVER_STEPS)


def vocabulary_of(base: LoadedPipeline) -> Vocabulary:
    """Return the words that the teacher knows.

    Raises:
        ValueError: for a model that is not asked by words.
    """
    if base.model.vocabulary is None:
        raise ValueError(f"{base.model.name} has no vocabulary")
    return base.model.vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--work", type=Path, default=Path("build/emoji-distilled"), help="checkpoints")
    parser.add_argument("--out", type=Path, default=HERE / "distilled")
    parser.add_argument("--recipe", type=json.loads, default={}, help="changes, as JSON")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    recipe: Recipe = dataclasses.replace(RECIPE, **arguments.recipe)
    base = base_of(HERE)
    with Progress() as progress, (arguments.out / "distil.log.jsonl").open("a") as log:
        task = progress.add_task("distil", total=arguments.images)
        state = None
        run = first_stage(base, recipe, arguments.images, arguments.work, torch.device("cpu"), SEED)
        for state, step in run:  # noqa: B007 - the last one is kept
            progress.update(task, completed=step.images)
            if step.step % 50 == 0 or step.finished:
                line = {
                    "step": step.step,
                    "images": step.images,
                    "loss_generator": round(step.loss_generator, 3),
                    "loss_fake_score": round(step.loss_fake_score, 3),
                    "seconds": round(step.seconds, 1),
                }
                log.write(json.dumps(line) + "\n")
                log.flush()
    assert state is not None
    save_pair(state, arguments.out)


if __name__ == "__main__":
    main()
