"""What ``lethe unlearn`` does: a library run with a progress bar, checkpoints, and its results in a folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

from cli.console import console, say
from cli.run_view import RunView
from cli.tables import reasons, report_table
from client.answers import Report, read
from sfd_core.manifest import BaseModel
from sfd_core.request import UnlearningRequest
from sfd_core.unlearn import Checkpoints, CheckpointSaved, Finished, PhaseStarted, Progress, unlearn


def run(model: BaseModel, request: UnlearningRequest, out: Path, device: str, checkpoint_seconds: float) -> str:
    """Run ``request`` and leave ``out/generator`` and ``out/report``. Returns the verdict."""
    screen = console()
    # Only the same request on the same model may go on from a checkpoint.
    same = hashlib.sha256(json.dumps([model.digest, request.to_json()], sort_keys=True).encode()).hexdigest()[:16]
    checkpoints = Checkpoints(out / "checkpoints" / same, every_seconds=checkpoint_seconds)
    report = None
    with RunView(screen) as view:
        for event in unlearn(model, request, out, checkpoints=checkpoints, device=device):
            match event:
                case PhaseStarted(phase):
                    view.phase(phase)
                case Progress(quick=quick):
                    view.progress({**dataclasses.asdict(event), **(dataclasses.asdict(quick) if quick else {})})
                case CheckpointSaved():
                    pass  # nothing that a person has to know
                case Finished():
                    report = event.report
    assert report is not None
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    parsed = read(Report, report)
    screen.print(report_table(parsed))
    for reason in reasons(parsed):
        say(screen, reason)
    say(screen, f"verdict: {parsed.verdict}")
    say(screen, f"generator: {out / 'generator'}\nreport: {out / 'report' / 'report.html'}")
    return parsed.verdict
