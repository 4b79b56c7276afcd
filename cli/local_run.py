"""What ``lethe unlearn`` does: a library run with a progress bar, checkpoints, and its results in a folder that is laid
out as the service's archive of a generator, with the record of the run in it."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.console import console, say
from cli.run_view import RunView
from cli.tables import reasons, report_table
from client.answers import read
from client.reports import Report
from jobs.record import EVALUATION, RECORD, build_record, sign
from jobs.record.statement import Statement
from jobs.settings import Settings
from sfd_core.admission import Admitted
from sfd_core.base_model.manifest import BaseModel, file_sha256
from sfd_core.environment import environment
from sfd_core.evaluation.evaluators import GivenWeights
from sfd_core.families.device import pick_device
from sfd_core.prepared import Checkpoints
from sfd_core.request.reading import written
from sfd_core.run import CheckpointSaved, Finished, PhaseStarted, Progress, unlearn
from sfd_core.storage import StorageFull


@dataclass(frozen=True)
class Result:
    """The result of a run on this machine. ``folder``: the generator, its report in ``evaluation/`` and its record.
    ``record``: what that states. ``key_id``: of the key that signed it."""

    verdict: str
    folder: Path
    record: Statement
    key_id: str | None

    def lines(self) -> Iterator[str]:
        """Say where everything is."""
        how = "unsigned: LETHE_SIGNING_KEY is not set" if self.key_id is None else f"signed by {self.key_id}"
        yield f"generator: {self.folder}"
        yield f"report: {self.folder / EVALUATION / 'report.html'}"
        yield f"record: {self.folder / RECORD} ({how})"


def run(
    model: BaseModel,
    admitted: Admitted,
    out: Path,
    device: str,
    settings: Settings,
) -> Result:
    """Run what was admitted and leave ``out/generator``, in place of an earlier one and only once the new one is whole.

    ``settings``: how often a checkpoint is written, whose weights judge beside the base model's, who signs.

    Raises:
        FileExistsError: ``out/generator`` is there and no generator: it is not for us to replace.
    """
    screen, signer = console(), settings.signer()
    weights = GivenWeights(settings.inception_weights, settings.clip_weights)
    folder, work = out / "generator", out / "work"
    if folder.exists() and not (folder / "model_index.json").is_file():
        raise FileExistsError(errno.EEXIST, "there already, and not a generator: choose another --out", str(folder))
    asked = written(admitted.request)
    # Only the same request on the same model may go on from a checkpoint.
    same = hashlib.sha256(json.dumps([model.digest, asked], sort_keys=True).encode()).hexdigest()[:16]
    checkpoints = Checkpoints(work / "checkpoints" / same, every_seconds=settings.checkpoint_seconds)
    for left in (work / "generator", work / "report"):  # by a run that was interrupted while it wrote them
        shutil.rmtree(left, ignore_errors=True)
    finished = None
    with RunView(screen) as view:
        for event in unlearn(
            admitted, work, checkpoints=checkpoints, device=device, weights=weights, mark_images=settings.mark_images
        ):
            match event:
                case PhaseStarted(phase):
                    view.phase(phase)
                case Progress(quick=quick):
                    view.progress({**dataclasses.asdict(event), **(dataclasses.asdict(quick) if quick else {})})
                case CheckpointSaved():
                    pass  # nothing that a person has to know
                case StorageFull(message):
                    view.note(f"waiting for room: {message}")
                case Finished():
                    finished = event
    assert finished is not None
    record = build_record(
        finished.report,
        asked,
        model,
        environment(pick_device(device)),
        _digests(finished.generator),
        _digests(finished.report_folder),
    )
    finished.report_folder.rename(finished.generator / EVALUATION)
    (finished.generator / RECORD).write_text(sign(record, signer))
    if folder.exists():
        shutil.rmtree(folder)
    finished.generator.rename(folder)
    shutil.rmtree(work, ignore_errors=True)

    parsed = read(Report, finished.report)
    screen.print(report_table(parsed))
    for reason in reasons(parsed):
        say(screen, reason)
    for row in (finished.report.get("text") or {"prompts": {"cut": []}})["prompts"]["cut"]:
        say(screen, f"longer than the text encoder reads: “{row['prompt']}”; not read: “{row['cut']}”")
    say(screen, f"verdict: {parsed.verdict}")
    return Result(parsed.verdict, folder, record, None if signer is None else signer.public_key.keyid)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder``, by name."""
    return {p.relative_to(folder).as_posix(): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
