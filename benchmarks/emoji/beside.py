"""What stands beside a generator that forgot: the distilled one, which every job starts from, judged by the same code
on the same concepts and seeds. The teacher's figures are in every report; here its pictures are made."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.emoji.figures import figures_of
from benchmarks.emoji.jobs import Job
from benchmarks.emoji.shown import SHOWN, SHOWN_BY_TEACHER, keep_shown
from sfd_core.base_model.safe_files import load_unet
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.subject import ImageSource, teacher_of
from sfd_core.families.base_sampler import TextTeacher
from sfd_core.families.generators import generator_around
from sfd_core.families.loading import LoadedBase
from sfd_core.families.stable_diffusion.generator import TextGenerator
from sfd_core.report.examine import ReportDraft, examine, write_report
from sfd_core.request.unlearning_request import UnlearningRequest

SAID_EVERY = 20.0


def beside(
    base: LoadedBase, request: UnlearningRequest, job: Job, folder: Path, device: torch.device
) -> dict[str, Any]:
    """The distilled generator, judged for ``request``; its pictures and the teacher's."""
    began, said_at = time.monotonic(), 0.0
    generator, teacher = distilled_generator(base, device), text_teacher(base, device)
    evaluators = Evaluators.load(base.model, device)
    subject = ImageSource.one_step(generator, "1 step, nothing forgotten")
    examined: ReportDraft | None = None
    for done, of, examined in examine(subject, base, evaluators, request, device):  # noqa: B007
        if (now := time.monotonic()) - said_at >= SAID_EVERY:
            said_at = now
            print(f"distilled beside {job.name}: {done}/{of} images", flush=True)
    assert examined is not None
    report = write_report(examined, folder / "report", ["python -m benchmarks.emoji"])
    keep_shown(generator.sample_prompts, job.shown, base.model.vocabulary, folder / SHOWN)
    keep_shown(teacher.sample_prompts, job.shown, base.model.vocabulary, folder / SHOWN_BY_TEACHER)
    return {
        "title": subject.title,
        "teacher": f"{teacher.steps} steps, guidance {teacher.guidance:g}",
        "figures": figures_of(report),
        "wall_seconds": {"evaluating": round(time.monotonic() - began, 1)},
    }


def distilled_generator(base: LoadedBase, device: torch.device) -> TextGenerator:
    """The one-step generator that the base model ships, with nothing forgotten.

    Raises:
        SystemExit: it ships none.
    """
    shipped = base.model.distilled
    if shipped is None:
        raise SystemExit(f"{base.model.folder}: the manifest names no distilled generator: run distil.py first")
    unet = load_unet(base.model.folder / shipped.generator, type(base.unet)).to(device)
    generator = generator_around(unet, base, shipped.t_init)
    assert isinstance(generator, TextGenerator)
    return generator


def text_teacher(base: LoadedBase, device: torch.device) -> TextTeacher:
    """The untouched base model at its own steps and guidance."""
    teacher = teacher_of(base, device)
    assert isinstance(teacher, TextTeacher)
    return teacher
