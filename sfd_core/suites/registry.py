"""The published benchmarks by their names. Plain: does not import torch."""

from __future__ import annotations

from sfd_core.discovery import discover
from sfd_core.suites.suite import Suite

SUITES = {suite.name: suite for suite in discover("sfd_core.suites.kinds", "SUITE", Suite)}
