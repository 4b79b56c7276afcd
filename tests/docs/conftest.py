"""What the documents' commands are run in: a folder that looks like a checkout, with base models of the bundled ones'
names that train in milliseconds, and the service that README.md starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from diffusers import EDMEulerScheduler

from jobs.record.signing import public_pem
from tests.cli.service import CONCEPTS, free_port
from tests.docs.reading import ROOT, Block, Command, blocks
from tests.docs.tables import LAX, STAYS, not_here, passes, quick
from tests.record.case import make_case
from tests.support.foreign import save_class_model, save_classifier, save_pictures
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_sd3 import make_tiny_sd3
from tests.support.tiny_text_model import OBJECTS, make_tiny_text_model

CURL = "fail-with-body\nshow-error\n"
"""Curl ends with 0 whatever the service answers, unless its settings say otherwise."""
STOP_SECONDS = 180
"""A worker may take 60 s to write a checkpoint, after the API's 10 s and before the servers; and a core may be busy."""
JUDGED = {"images_per_concept": 20, "images_per_forgotten_concept": 20}


@dataclass(frozen=True)
class Shell:
    """Runs commands as a person types them: one after the other, in one shell, in one folder."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, commands: list[Command]) -> str:
        """What they print. The test fails at the first that does not end with 0, and says which."""
        lines = ["set -euo pipefail", "PS4='+ $SECONDS s: '"]
        for command in commands:
            typed = quick(command.text)
            lines += [f": 'AT {command.document}:{command.line}'"]
            lines += [typed] if passes(command.text) else [f"{{ {typed}", "} && false || [ $? = 1 ]"]
        done = subprocess.run(
            ["bash", "-x", "-c", "\n".join(lines)],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout


@dataclass(frozen=True)
class Service:
    """The service that README.md starts, and a shell beside it."""

    shell: Shell
    process: psutil.Process
    url: str


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """A folder like a checkout of this repository, but for the base models."""
    # Not pytest's own temporary folder: as root that is closed to the user Postgres runs as.
    folder = Path(tempfile.mkdtemp(prefix="lethe-docs-", dir="/tmp"))
    folder.chmod(0o711)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "recipes").symlink_to(ROOT / "recipes")
    make_tiny_model(folder / "models/fashion", "fashion", CONCEPTS, apart=3.0)
    edm = EDMEulerScheduler()
    make_tiny_model(folder / "models/fashion_edm", "fashion-edm", CONCEPTS, 3.0, family="edm", scheduler=edm)
    make_tiny_text_model(folder / "models/emoji", "emoji", domains=True, more_objects=["bomb"], apart=3.0)
    make_tiny_sd3(folder / "models/emoji_flow", "emoji-flow", domains=True)
    make_tiny_text_model(folder / "plain-models/plain", "plain")
    (folder / "models/plain").symlink_to(folder / "plain-models/plain")
    save_class_model(folder / "cars")
    save_classifier(folder / "cars-classifier")
    save_pictures(folder / "cars-test")
    make_tiny_text_model(folder / "things")
    (folder / "things/manifest.json").unlink()
    save_classifier(folder / "things-classifier", OBJECTS)
    save_pictures(folder / "things-photos", OBJECTS)
    _write(folder / "few-fashion.json", "fashion", "Sneaker", "Bag")
    lax = {"thresholds": LAX | {"cross_domain_accuracy_drop": 0.999}}
    _write(folder / "few-emoji.json", "emoji", "pistol", "banana", **lax)
    nudity = json.loads((ROOT / "recipes/nudity.json").read_text())
    nudity["recipe"] = nudity.get("recipe", {}) | {"batch": 4}
    (folder / "few-nudity.json").write_text(json.dumps(nudity | {"budget": {"images": 16}, "evaluation": JUDGED}))
    (folder / ".curlrc").write_text(CURL)
    (folder / "scratch").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def environment(checkout: Path) -> dict[str, str]:
    """The variables of a person who has set none of ours, but for where things are here."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("LETHE_")}
    port = str(free_port())
    return given | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.prefix) / 'bin'}:{given['PATH']}",
        "LETHE_BUNDLED_MODELS_DIR": str(checkout / "models"),
        "LETHE_PORT": port,
        "LETHE_URL": f"http://127.0.0.1:{port}",
        "SCRATCH": str(checkout / "scratch"),
        "CURL_HOME": str(checkout),
        "OMP_NUM_THREADS": "1",
        "GOMP_SPINCOUNT": "0",
    }


@pytest.fixture(scope="module")
def shell(checkout: Path, environment: dict[str, str]) -> Shell:
    """A shell in the checkout."""
    return Shell(checkout, environment)


def starting() -> Block:
    """The block of README.md that starts the service."""
    (found,) = (block for block in blocks(ROOT / "README.md", "sh") if STAYS.search(block.code))
    return found


@pytest.fixture(scope="module")
def service(shell: Shell) -> Iterator[Service]:
    """Started by the lines that README.md prints for it, and stopped by Ctrl-C."""
    *before, last = [command for command in starting().commands() if not_here(command.text) is None]
    assert STAYS.search(last.text)
    shell.run(before)
    script = "\n".join(command.text for command in before if command.text.startswith(". "))
    started = last.text.split("#")[0].strip().replace("lethe up", "exec lethe up")
    process = subprocess.Popen(
        # Whoever runs the tests in the background ignores Ctrl-C, and what is ignored at the start stays so.
        ["env", "--default-signal=INT", "bash", "-c", f"{script}\n{started}"],
        cwd=shell.folder,
        env=dict(shell.environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("Lethe is at "), said
    url = shell.environment["LETHE_URL"]
    yield Service(shell, psutil.Process(process.pid), url)
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_SECONDS) == 0


@pytest.fixture(scope="module")
def archive(shell: Shell, checkout: Path) -> Shell:
    """A shell in an unpacked archive of a generator, with the public key of whoever signed its record."""
    models = checkout / "other-models"
    case = make_case(make_tiny_model(models / "tiny"), checkout / "case")
    (case.folder.parent / "lethe.pub").write_bytes(public_pem(case.signer))
    return Shell(case.folder, {**shell.environment, "LETHE_MODELS_DIR": str(models)})


def _write(path: Path, base: str, concept: str, override: str, **more: Any) -> None:
    """A request that judges few images, for ``--file``."""
    forget = [{"concept": concept, "override": override}]
    body = {"base_model": base, "forget": forget, "budget": {"images": 8}, "evaluation": JUDGED, **more}
    path.write_text(json.dumps(body))
