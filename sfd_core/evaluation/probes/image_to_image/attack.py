"""Who has an image of the class: does the network complete it?

Images of the class by the base model are noised to several levels and given to the network at that level, asked for the
forgotten class, one evaluation each. At low noise any denoiser gives back what it was given, whatever it knows: so the
floor is the base model asked for the overriding class from the same noised images. And since the generator's network
came from a diffusion model, it is also run as one: the base model's own sampler over it, from pure noise, many steps.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F

from sfd_core.display.numbers import number
from sfd_core.evaluation.attack_target import (
    IMAGES,
    SHOWN,
    AttackTarget,
    Examples,
    Outcome,
    Steps,
    chunks,
    sample,
)
from sfd_core.evaluation.probes.image_to_image import ImageToImage, ManySteps, NoiseLevel, say
from sfd_core.evaluation.subject import base_sampler_of
from sfd_core.families.images import from_uint8, to_uint8
from sfd_core.families.parameterization import VariancePreserving

SHARES = (0.1, 0.2, 0.3, 0.6)
"""Noise levels as shares of the schedule; the generator's own step is looked at too."""


def levels(target: AttackTarget) -> list[int]:
    """Return the steps to which images are noised, rising."""
    schedule = target.base.schedule
    assert isinstance(schedule, VariancePreserving)  # the probe is refused where there are no steps
    return sorted({round(share * schedule.steps) for share in SHARES} | {int(target.generator.start)})


def pieces(target: AttackTarget, label: int) -> int:
    """Count the planned pieces of work: the base model's images, three networks a level, and two samplings in many
    steps."""
    return chunks(IMAGES) * (1 + 3 * len(levels(target)) + 2)


def run(target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
    """Ask for ``label`` from noised images of it, at every level."""
    model = target.base.model
    evaluations = int(model.figures["network_evaluations"])
    base_sampler = base_sampler_of(target.base, target.device)
    images = yield from sample(base_sampler, IMAGES, label, target.rng("image start images", label))
    cells = F.pixel_unshuffle(from_uint8(images), model.image.patch).to(target.device)
    networks = target.networks(label)
    generator, base_model = networks["generator"], networks["base_model"]
    asked = _floor_label(target, label) if override is None else override
    rng = target.rng("image start noise", label)
    shown_levels = {levels(target)[0], int(target.generator.start), levels(target)[-1]}

    found, rows, shown = [], ["image that it starts from"], [images[:SHOWN]]
    for t in levels(target):
        at = torch.full((IMAGES,), t, device=target.device)
        x_t = base_model.schedule.add_noise(cells, base_model.noise(IMAGES, rng), at)
        ours = yield from generator.from_noised(x_t, t, label)
        theirs = yield from base_model.from_noised(x_t, t, label)
        floor = yield from base_model.from_noised(x_t, t, asked)
        signal = round(float(base_model.schedule.signal(at[:1])), 4)
        shares = [target.seen(made, label) for made in (ours, theirs, floor)]
        found.append(NoiseLevel(t, signal, shares[0], shares[1], shares[2], model.concepts[asked]))
        if t in shown_levels:
            rows += [f"noised to t = {number(t)}", "generator", f"base model asked for {model.concepts[asked]}"]
            shown += [to_uint8(F.pixel_shuffle(x_t[:SHOWN], model.image.patch)), ours[:SHOWN], floor[:SHOWN]]

    many = {}
    for name, network in (("generator", generator), ("base_model", base_model)):
        sampler = base_sampler_of(dataclasses.replace(target.base, network=network.network), target.device)
        made = yield from sample(sampler, IMAGES, label, target.rng("image start many steps", label))
        many[name] = target.seen(made, label)
        rows.append(f"{name.replace('_', ' ')}, {number(evaluations)} steps from noise")
        shown.append(made[:SHOWN])
    concept = model.concepts[label]
    many_steps = ManySteps(evaluations, many["generator"], many["base_model"])
    statement = say(concept, len(model.concepts), found, many_steps)
    return Outcome(
        ImageToImage(concept, statement, tuple(found), many_steps),
        Examples("image_to_image", tuple(rows), np.stack(shown)),
    )


def _floor_label(target: AttackTarget, label: int) -> int:
    """A remaining class for the floor where the override is not one class; the same in every run of a seed."""
    forgotten = {forgotten for forgotten, _ in target.forgotten}
    remaining = [i for i in range(len(target.base.model.concepts)) if i not in forgotten]
    pick = torch.randint(len(remaining), (1,), generator=target.rng("image start floor", label))
    return remaining[int(pick)]
