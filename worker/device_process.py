"""What a worker's device is, asked in a short process: the worker itself imports no torch, and loads no driver.

    python -m worker.device_process DEVICE GPUS

One JSON line on standard output: the device's name, and the bytes of the smallest of so many GPUs; null where the
device has no memory of its own.
"""

from __future__ import annotations

import json
import sys

import torch

from sfd_core.families.device import pick_device


def main(wanted: str, gpus: int) -> None:
    """Print what the device ``wanted`` is, as ``LETHE_DEVICE`` names it, and the first of so many."""
    device = pick_device(wanted)
    if device.type == "cuda":  # nothing is put on it, which may be full
        which = [device] if gpus == 1 else range(max(1, min(gpus, torch.cuda.device_count())))
        has = [torch.cuda.get_device_properties(each) for each in which]
        name, memory = has[0].name, min(each.total_memory for each in has)
    else:
        torch.empty(1, device=device)  # whatever is wrong with it, it is said here
        name, memory = device.type.upper(), None
    print(json.dumps({"name": name, "memory_bytes": memory}))  # noqa: T201 - it is the answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
