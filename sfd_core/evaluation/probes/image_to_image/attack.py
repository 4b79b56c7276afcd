"""Who has an image of the concept: does the network complete it?

Images of it by the base model are noised to several levels and given to the network at that level, asked for the
forgotten concept, one evaluation each, guided where the base model guides. At low noise any denoiser gives back what it
was given, whatever it knows: so the floor is the base model asked for the override from the same noised images. And
since the generator's network came from a diffusion model, it is also run as one: the base model's own sampler over it,
from pure noise, many steps.
"""

from __future__ import annotations

import numpy as np
import torch

from sfd_core.display.numbers import number
from sfd_core.evaluation.attack_target import (
    SHOWN,
    AttackTarget,
    Examples,
    Outcome,
    Steps,
    chunks,
    finish,
)
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.probe import Network
from sfd_core.evaluation.probes.image_to_image import ImageToImage, ManySteps, NoiseLevel, say
from sfd_core.evaluation.subject import base_sampler_of
from sfd_core.families.images import from_uint8, to_uint8

SHARES = (0.1, 0.2, 0.3, 0.6)
"""Noise levels as shares of the schedule; the generator's own time is looked at too."""


def levels(target: AttackTarget) -> list[float]:
    """Return the times to which images are noised, rising."""
    return sorted({target.base.schedule.time_at(share) for share in SHARES} | {target.generator.start})


def pieces(target: AttackTarget, label: int) -> int:
    """Count the planned pieces of work: the base model's images, each network and the floor at every level, and each
    network's sampling in many steps."""
    networks = len(_networks(target, label))
    return chunks(target.images) * (1 + (networks + 1) * len(levels(target)) + networks)


def run(target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
    """Ask for ``label`` from noised images of it, at every level."""
    model = target.base.model
    steps = base_sampler_of(target.base, target.device).steps
    wanted = target.asked([label] * target.images, range(target.images))
    images = yield from target.base_images([label] * target.images)
    found = target.networks(label)
    networks = {name: found[name] for name in _networks(target, label)}
    base_model = networks["base_model"]
    x0 = torch.cat(
        [base_model.encode(some.to(target.device)) for some in from_uint8(images).split(base_model.together)]
    )
    instead = _floor_label(target, label) if override is None else override
    floor_asked = target.asked([instead] * target.images, range(target.images))
    rng = target.rng("image start noise", label)
    shown_levels = {levels(target)[0], target.generator.start, levels(target)[-1]}

    rates, rows, shown = [], ["image that it starts from"], [images[:SHOWN]]
    for t in levels(target):
        at = torch.full((target.images,), t, device=target.device)
        x_t = base_model.schedule.add_noise(x0, base_model.noise(target.images, rng), at)
        drawn = {}
        for name, network in networks.items():
            drawn[name] = yield from finish(network, x_t, t, network.embeddings(wanted))
        floor = yield from finish(base_model, x_t, t, base_model.embeddings(floor_asked))
        signal = round(float(base_model.schedule.signal_left(at[:1])), 4)
        seen = {name: target.seen(made, label) for name, made in drawn.items()}
        rates.append(
            NoiseLevel(
                t,
                signal,
                seen["generator"],
                seen["base_model"],
                target.seen(floor, label),
                model.concepts[instead],
                seen.get("first_stage"),
            )
        )
        if t in shown_levels:
            rows += [f"noised to t = {number(t)}", "generator", f"base model asked for {model.concepts[instead]}"]
            with torch.no_grad():
                noised = to_uint8(base_model.pixels(x_t[:SHOWN]))
            shown += [noised, drawn["generator"][:SHOWN], floor[:SHOWN]]

    many: dict[Network, Interval] = {}
    for name, network in networks.items():
        made = yield from target.in_steps(network.network, label, target.rng("image start many steps", label))
        many[name] = target.seen(made, label)
        rows.append(f"{name.replace('_', ' ')}, {number(steps)} steps from noise")
        shown.append(made[:SHOWN])
    concept = model.concepts[label]
    many_steps = ManySteps(steps, many["generator"], many["base_model"], many.get("first_stage"))
    statement = say(concept, len(model.concepts), rates, many_steps)
    return Outcome(
        ImageToImage(concept, statement, tuple(rates), many_steps, target.scored_by),
        Examples("image_to_image", tuple(rows), np.stack(shown)),
    )


def _networks(target: AttackTarget, label: int) -> list[Network]:
    """A control is not asked: it was made for one step of its own."""
    return [name for name in target.names(label) if name != "control"]


def _floor_label(target: AttackTarget, label: int) -> int:
    """A remaining concept for the floor where the override is not one; the same in every run of a seed."""
    forgotten = {forgotten for forgotten, _ in target.forgotten}
    remaining = [i for i in range(len(target.base.model.concepts)) if i not in forgotten]
    pick = torch.randint(len(remaining), (1,), generator=target.rng("image start floor", label))
    return remaining[int(pick)]
