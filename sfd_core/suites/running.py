"""One run of a published benchmark: what is asked is read, drawn and measured, and written as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sfd_core.suites.images import KeptImages, digest_of_asks
from sfd_core.suites.opening import open_any
from sfd_core.suites.page import page
from sfd_core.suites.suite import Given, Suite, limited, plain

RESULT, PAGE = "result.json", "result.html"


@dataclass(frozen=True)
class Wanted:
    """The wishes of a run. ``steps``: of a stock pipeline; ``limit``: images of a trial, which is no result."""

    generator: Path
    out: Path
    steps: int | None = None
    limit: int | None = None


def run_suite(suite: Suite, given: Given, wanted: Wanted) -> Generator[tuple[int, int], None, dict[str, Any]]:
    """Run ``suite``, yield (images there are, images in all) as they are drawn, and return the result, which lies in
    ``wanted.out`` as ``result.json`` and ``result.html``.

    Raises:
        ModelRefused: for folders that lack something, all of it at once, before anything is drawn.
    """
    asks = suite.asks(given)
    whole = len(asks)
    asks = limited(asks, wanted.limit)
    opened = open_any(wanted.generator, torch.device(given.device), wanted.steps)
    kept = KeptImages(wanted.out, asks)
    key: dict[str, object] = {
        "benchmark": suite.name,
        "generator": opened.digest,
        "steps": opened.sampler.steps,
        "prompts": digest_of_asks(asks),
    }
    kept.claim(key)
    for done in kept.drawn_by(opened):
        yield done, len(asks)
    measured = suite.measure(given, kept)
    result = {
        "schema_version": 1,
        "benchmark": suite.name,
        "title": suite.title,
        "trial": len(asks) < whole,
        "images": len(asks),
        "images_in_all": whole,
        "forgotten": list(given.forgotten),
        "generator": {
            "name": wanted.generator.resolve().name,
            "family": opened.family,
            "digest": opened.digest,
            "steps": opened.sampler.steps,
            "network_evaluations": opened.sampler.network_evaluations,
            "guidance": "as the prompts say" if opened.guided and any(ask.guidance for ask in asks) else "its own",
        },
        "prompts": key["prompts"],
        "seeds": sorted({ask.seed for ask in asks}),
        **plain(measured),
        "axes": dict(suite.axes),
        "sources": [vars(source) for source in suite.sources],
        "differs": list(suite.differs),
    }
    (wanted.out / RESULT).write_text(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    (wanted.out / PAGE).write_text(page(result), "utf-8")
    return result
