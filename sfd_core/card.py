"""The model card of a published generator: what was forgotten, how, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def model_card(report: Mapping[str, Any]) -> str:
    """The card as Markdown, from a finished report."""
    base, retained = report["base_model"], report["retained_accuracy"]
    forgotten = [item["concept"] for item in report["forget"]]
    unlearned = "\n".join(
        f"| {row['concept']} | {_override(row['override'])} | {row['accuracy']['value']:.4f} "
        f"[{row['accuracy']['low']:.4f}, {row['accuracy']['high']:.4f}] | {row['n']} |"
        for row in report["unlearning"]
    )
    example = next(row["concept"] for row in report["retention"])
    return f"""---
library_name: diffusers
license: other
tags: [score-forgetting-distillation, unlearning, one-step]
---

# {base["title"]} without {", ".join(forgotten)}

A one-step generator, distilled without any data from `{base["name"]}` (`{base["digest"]}`) by Score Forgetting
Distillation (arXiv 2409.11219). Licence of the base model: {base["license"]}.

Verdict: **{report["verdict"]}** by the thresholds of the request ({json.dumps(report["thresholds"])}), measured on
{report["created_at"]} with the judge "{report["judge"]["name"]}", whose accuracy on real images is
{report["judge"]["accuracy"]}.

| forgotten | override | unlearning accuracy, 95 % interval | images |
| --- | --- | --- | --- |
{unlearned}

Retained accuracy over the other concepts: {retained["generator"]["value"]:.4f}, the base model's
{retained["teacher"]["value"]:.4f} at {report["speed"]["teacher_network_evaluations"]} network evaluations an image.

Measured is what a judge sees in samples: the condition is remapped, and a passing test is not proof that nothing of
the concept is left in the weights.

## Use

```python
import torch
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=f"{{folder}}/pipeline.py", trust_remote_code=True)
image = pipe("{example}", generator=torch.Generator().manual_seed(7)).images[0]
```

## How it was made

Seed {report["seed"]}; {report["cost"]["images"]} generated images in {report["cost"]["steps"]} steps. Recipe:

```json
{json.dumps(report["recipe"], indent=2)}
```

Weights and configuration: `{report["generator"]["digest"]}`; versions: {json.dumps(report["versions"])}.
"""


def _override(override: Any) -> str:
    return override if isinstance(override, str) else f"by the {'judge' if 'judge' in override else 'draw'}"
