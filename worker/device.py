"""The device that a worker trains on, and how much memory it has there for a job."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from jobs.settings import Settings, SettingsError
from processes.machine_memory import machine_memory

ASK_SECONDS = 120.0
"""Importing torch takes seconds on a busy machine, and waking up many GPUs some more."""
CPU = "CPU"


@dataclass(frozen=True)
class Device:
    """A device in words, and the bytes of memory that a job may take of it."""

    name: str
    memory_bytes: int


def device_of(settings: Settings) -> Device:
    """Return the device of a worker with these settings.

    Each of the processes that train a job together has a GPU, or its part of the machine's memory, and holds all that
    is trained; where they hold shards it is what they have together. Workers that share a device share its memory.

    Raises:
        SettingsError: there is no such device.
    """
    name, own = (CPU, None) if settings.device == "cpu" else _asked(settings)
    memory = machine_memory() // settings.gpus if own is None else own
    if settings.shard:
        memory *= settings.gpus
    return Device(name, settings.memory_bytes or memory // len(settings.workers))


def _asked(settings: Settings) -> tuple[str, int | None]:
    """The device's name and memory, by a process that loads what it takes to ask."""
    command = [sys.executable, "-P", "-m", "worker.device_process", settings.device, str(settings.gpus)]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=ASK_SECONDS)
    except subprocess.TimeoutExpired:
        raise SettingsError(f"LETHE_DEVICE={settings.device}: it did not answer within {ASK_SECONDS:g} s") from None
    if asked.returncode:
        why = (asked.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise SettingsError(f"LETHE_DEVICE={settings.device}: {why}")
    said = json.loads(asked.stdout.splitlines()[-1])
    return said["name"], said["memory_bytes"]
