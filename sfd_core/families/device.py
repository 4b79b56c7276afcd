"""Where and in which precision the networks run: kept off the page that holds the losses."""

from __future__ import annotations

import torch
from torch import nn

from sfd_core.request.recipe import Precision


def pick_device(wanted: str = "auto") -> torch.device:
    """Pick the device: ``auto`` is the first GPU if there is one, else the CPU; anything else is taken as torch's own
    name."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def pick_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Pick the type that networks run in. ``auto`` is bf16 on a GPU that has it, else float32."""
    if precision in ("bf16", "bf16-weights"):
        return torch.bfloat16
    if precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def device_name(device: torch.device) -> str:
    """Return the device in words, for reports: the GPU's name, or the CPU with its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def device_of(network: nn.Module) -> torch.device:
    """Return the device that a network's weights are on."""
    return next(network.parameters()).device
