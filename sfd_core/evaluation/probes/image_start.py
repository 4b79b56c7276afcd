"""Who has an image of the class: does the network complete it?

Teacher images of the class are noised to several levels and given to the network at that level, asked for the forgotten
class, one evaluation each. At low noise any denoiser gives back what it was given, whatever it knows: so the floor is
the untouched base asked for the overriding class from the same noised images. And since the generator's network came
from a diffusion model, it is also run as one: the teacher's own sampler over it, from pure noise, many steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from sfd_core.evaluation.probes.statement import Level, say_image_start
from sfd_core.evaluation.probes.subject import (
    IMAGES,
    SHOWN,
    Examples,
    Finding,
    Steps,
    Subject,
    chunks,
    sample,
    t_init_of,
)
from sfd_core.evaluation.rates import plain
from sfd_core.families.class_unet.base_sampler import TeacherSampler
from sfd_core.families.images import from_uint8, to_uint8
from sfd_core.families.protocol import LoadedBase

SHARES = (0.1, 0.2, 0.3, 0.6)
"""Noise levels as shares of the schedule; the generator's own step is looked at too."""


def levels(subject: Subject) -> list[int]:
    """The steps to which images are noised, rising."""
    steps = subject.base.schedule.steps
    return sorted({round(share * steps) for share in SHARES} | {t_init_of(subject.generator)})


def pieces(subject: Subject, label: int) -> int:
    """Planned pieces of work: the teacher's images, three networks a level, and two samplings in many steps."""
    return chunks(IMAGES) * (1 + 3 * len(levels(subject)) + 2)


def image_start(subject: Subject, label: int, override: int | None) -> Steps[Finding]:
    """Ask for ``label`` from noised images of it, at every level."""
    model = subject.base.model
    evaluations = int(model.teacher["network_evaluations"])
    teacher = TeacherSampler(subject.base, evaluations, subject.device)
    images = yield from sample(teacher, IMAGES, label, subject.rng("image start images", label))
    cells = F.pixel_unshuffle(from_uint8(images), model.image.patch).to(subject.device)
    networks = subject.networks(label)
    generator, base = networks["generator"], networks["base"]
    asked = _floor_label(subject, label) if override is None else override
    rng = subject.rng("image start noise", label)
    shown_levels = {levels(subject)[0], t_init_of(subject.generator), levels(subject)[-1]}

    found, rows, shown = [], ["image that it starts from"], [images[:SHOWN]]
    for t in levels(subject):
        at = torch.full((IMAGES,), t, device=subject.device)
        x_t = base.schedule.add_noise(cells, base.noise(IMAGES, rng), at)
        ours = yield from generator.from_noised(x_t, t, label)
        theirs = yield from base.from_noised(x_t, t, label)
        floor = yield from base.from_noised(x_t, t, asked)
        signal = float(base.schedule.a[t])
        found.append(Level(t, signal, *(subject.seen(made, label) for made in (ours, theirs, floor))))
        if t in shown_levels:
            rows += [f"noised to t = {t}", "generator", f"base asked for {model.concepts[asked]}"]
            shown += [to_uint8(F.pixel_shuffle(x_t[:SHOWN], model.image.patch)), ours[:SHOWN], floor[:SHOWN]]

    many = {}
    for name, network in (("generator", generator), ("base", base)):
        sampler = TeacherSampler(LoadedBase(model, network.unet, subject.base.schedule), evaluations, subject.device)
        made = yield from sample(sampler, IMAGES, label, subject.rng("image start many steps", label))
        many[name] = subject.seen(made, label)
        rows.append(f"{name}, {evaluations} steps from noise")
        shown.append(made[:SHOWN])
    concept = model.concepts[label]
    result: dict[str, Any] = {
        "concept": concept,
        "levels": [
            {
                "t": level.t,
                "signal": round(level.signal, 4),
                "generator": plain(level.generator),
                "base": plain(level.base),
                "floor": plain(level.floor),
                "floor_asked": model.concepts[asked],
            }
            for level in found
        ],
        "many_steps": {"network_evaluations": evaluations, **{name: plain(seen) for name, seen in many.items()}},
        "statement": say_image_start(
            concept,
            model.concepts[asked],
            len(model.concepts),
            found,
            evaluations,
            many["generator"],
            many["base"],
        ),
    }
    return Finding(result, Examples("image_start", tuple(rows), np.stack(shown)))


def _floor_label(subject: Subject, label: int) -> int:
    """A remaining class for the floor where the override is not one class; the same in every run of a seed."""
    forgotten = {forgotten for forgotten, _ in subject.forgotten}
    remaining = [i for i in range(len(subject.base.model.concepts)) if i not in forgotten]
    pick = torch.randint(len(remaining), (1,), generator=subject.rng("image start floor", label))
    return remaining[int(pick)]
