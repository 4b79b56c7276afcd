"""How the printed commands are made quick, and which cannot be run here: every difference between what a document says
and what is run is a row of one of these tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.criterion import CriterionSpec


def _laxest(spec: CriterionSpec) -> float:
    """The threshold that asks for least."""
    if spec.at_least:
        return spec.low if spec.low_allowed else spec.low + 0.001
    return spec.high if spec.high_allowed else spec.high - 0.001


LAX = {name: _laxest(spec) for name, spec in CRITERIA.items()}
"""Thresholds that a network without any training passes, so that what follows a pass can be run."""
_LAX = " ".join(f"--threshold {name}={value}" for name, value in LAX.items())
_FEW = "--images-per-concept 20 --images-per-forgotten-concept 20"
_FEW_JSON = '"images_per_concept": 20, "images_per_forgotten_concept": 20'

SUBSTITUTIONS: tuple[tuple[str, str, str], ...] = (
    # what is printed, what is run, why
    (r"localhost:8321", "localhost:$LETHE_PORT", "the port may be taken here"),
    (r"--images (12800|6400|3200)", "--images 8", "a network that has learnt nothing needs no long training"),
    (r'"images": 6400\}, "seed": 7', f'"images": 64}}, "evaluation": {{{_FEW_JSON}}}, "seed": 7', "the same"),
    (r'"images": (12800|6400)', '"images": 64', "the same"),
    (r'"probes": \[', f'{_FEW_JSON}, "probes": [', "few are judged"),
    (
        r'"unlearning_accuracy": 0\.99, "retained_accuracy_drop": 0\.05',
        json.dumps(LAX)[1:-1],
        "the stand-in passes nothing else",
    ),
    (r"lethe (submit|unlearn) --base (fashion|emoji)", r"lethe \1 --file few-\2.json --base \2", "few are judged"),
    (r"lethe evaluate ", f"lethe evaluate {_FEW} {_LAX} ", "the same"),
    (
        r"^(lethe submit (?!.*--watch)(?!.*--dry-run)(?!.*hub:)[^#]*[^#\s])",
        r"\1 --json | jq -r .id | xargs lethe cancel",
        "that it is accepted is enough",
    ),
    (
        r"lethe models remove things",
        "until lethe models remove things; do sleep 0.1; done",
        "the job before it was cancelled, and may not have ended yet",
    ),
    (
        r"lethe release \$GEN",
        "lethe release $(lethe jobs --base fashion --verdict fail --json -n 1 | jq -r .generator)",
        "the last job on `fashion` that ran to its end did not pass",
    ),
    (
        r"--file recipes/nudity\.json",
        "--file few-nudity.json",
        "16 images instead of 20 000, on a pipeline of a few kB",
    ),
    (r"path/to/a/pipeline/with/a/manifest", "models/plain", "there is one here"),
    (r"/tmp/|/etc/lethe/", "$SCRATCH/", "nothing outside the test's own folder is written"),
    (r"<PyTorch's CPU index>", "https://index.example", "to be filled in"),
)

NOT_PASSED = (
    (
        r"lethe (submit|unlearn) --base (fashion|emoji-flow)(?!.*--dry-run)",
        "a network that has learnt nothing does not pass",
    ),
    (r"lethe unlearn --file recipes/nudity\.json", "there are no CLIP weights: nobody judges nudity"),
)
"""What ends with 1 here, as it should."""

SLOW = re.compile(r"lethe (evaluate|unlearn|record rerun|models (measure|distil)) ")
"""Starts torch for a run of its own: run by ``make test-all``, and in ``make test`` its parser takes it."""

Check = Literal["lethe", "script", "make", "compose", "docker", "install", "process", "module", "elsewhere"]
"""How far a command that is not run is checked: see ``test_commands.py``."""


@dataclass(frozen=True)
class NotHere:
    """A command that no test can run, with the reason, and what is checked instead."""

    pattern: str
    why: str
    check: Check


NOT_HERE = (
    NotHere(r"make ", "installs, or runs the tests in the tests: CI runs these targets", "make"),
    NotHere(r"docker compose ", "there is no Docker engine", "compose"),
    NotHere(r"docker build ", "there is no Docker engine", "docker"),
    NotHere(r"(apt-get|pip) install ", "changes the machine", "install"),
    NotHere(r"lethe .*hub:", "there is no hub", "lethe"),
    NotHere(r"lethe .*\b[A-Z]{3,}\b(?!=)(?<!JOB)(?<!GEN)(?<!HOOK)", "a form to be filled in, not a command", "lethe"),
    NotHere(r"lethe bench ", "needs data and detectors that nobody may ship", "lethe"),
    NotHere(r"python (-m benchmarks|-m models\.|models/)", "takes minutes to hours, or a GPU", "script"),
    NotHere(r"(pg_dump|pg_restore|psql|cp -a|mkdir -p) ", "typed by tests/faults/test_restore.py", "elsewhere"),
    NotHere(
        r"python -m (api|worker\.main (train|sample))$", "runs until it is stopped: `lethe up` starts it", "process"
    ),
    NotHere(
        r"python -m (worker\.training_process|sfd_core\.prompts\.make_captions)$", "has tests of its own", "module"
    ),
)

STAYS = re.compile(r"\blethe up\b")
"""Runs until it is stopped: the service that every other command is run against is started by the printed line."""


def not_here(command: str) -> NotHere | None:
    """The row of a command that cannot be run here, or None where it is to be run."""
    return next((row for row in NOT_HERE if re.match(row.pattern, command, re.DOTALL)), None)


def quick(text: str) -> str:
    """A command as it is run here."""
    for printed, run, _ in SUBSTITUTIONS:
        text = re.sub(printed, run if "\\1" in run else _literally(run), text, flags=re.DOTALL)
    return text


def passes(text: str) -> bool:
    """Whether a command ends with 0 here."""
    return not any(re.match(pattern, text) for pattern, _ in NOT_PASSED)


def _literally(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text
