"""Distil the network that never saw a class to one step: the control that ``relearning`` and ``concept_inversion`` are
held against, and the gold standard of ``benchmarks/baselines.py``.

    python -m models.fashion.train --without Sneaker --work build/without-sneaker --out build/without-sneaker
    python -m models.fashion.distil_control Sneaker build/without-sneaker

The same loop as a job's, with the retrained network as the teacher. The class that it never saw is never asked for: its
embedding stays as it was drawn at random.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

import torch
from rich.progress import track

from sfd_core.admission import admit
from sfd_core.base_model.safe_files import load_unet
from sfd_core.evaluation.in_training import generator_of
from sfd_core.families.class_unet.family import FAMILY
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest
from sfd_core.training.loop import train
from sfd_core.training.state import start

HERE = Path(__file__).parent
IMAGES, SEED = 6400, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("concept", help="the class that the network never saw")
    parser.add_argument("network", type=Path, help="what train.py --without has left")
    arguments = parser.parse_args()
    # The pair of stage one is the base model's, which knows the concept: the control starts from its own network, by
    # the family's recipe. What the model recommends is for that pair.
    model = dataclasses.replace(load_manifest(HERE), distilled=None, recipe={})
    out = HERE / "controls" / f"without-{arguments.concept.lower().replace(' ', '-')}"
    base = dataclasses.replace(load_base(model), network=load_unet(arguments.network / "unet"))
    other = next(concept for concept in model.concepts if concept != arguments.concept)
    body = {"forget": [{"concept": arguments.concept, "override": other}], "budget": {"images": IMAGES}, "seed": SEED}
    request = admit(body, model).request
    # No image of the class in any batch: it is left out, not remapped.
    request = dataclasses.replace(
        request, recipe=dataclasses.replace(request.recipe, forgotten_share=0.0, deep_weight=0)
    )
    cpu = torch.device("cpu")
    state, plan = start(base, request.recipe, request.seed, cpu), FAMILY.plan(base, request, None, cpu)
    log = []
    for step in track(
        train(state, base, request, plan=plan), description="distil", total=IMAGES // request.recipe.batch
    ):
        losses = {"loss_generator": step.loss_generator, "loss_fake_score": step.loss_fake_score}
        log.append(json.dumps({"step": step.step, "images": step.images, "seconds": round(step.seconds, 1), **losses}))
    generator_of(state, base, request.recipe).save(out)
    (out / "distil.log.jsonl").write_text("\n".join(log) + "\n")
    shutil.copyfile(arguments.network / "training.log.jsonl", out / "training.log.jsonl")


if __name__ == "__main__":
    main()
