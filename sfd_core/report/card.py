"""The model card of a published generator: what was forgotten, how, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sfd_core.display.numbers import estimate, number, percent
from sfd_core.display.overrides import written_in_words


def model_card(report: Mapping[str, Any]) -> str:
    """The card as Markdown, from a finished report."""
    base = report["base_model"]
    forgotten = [item["concept"] for item in report["forget"]]
    unlearned = "\n".join(
        f"| {row['concept']} | {written_in_words(row['override'])} "
        f"| {_interval(row['accuracy'])} | {number(row['n'])} |"
        for row in report["unlearning"]
    )
    return f"""---
library_name: diffusers
license: other
tags: [score-forgetting-distillation, unlearning, one-step]
---

# {base["title"]} without {", ".join(forgotten)}

A one-step generator, distilled without any data from `{base["name"]}` (`{base["digest"]}`) by Score Forgetting
Distillation (arXiv 2409.11219). Licence of the base model: {base["license"]}.

Verdict: **{report["verdict"]}** by the thresholds of the request ({json.dumps(report["thresholds"])}), measured on
{report["created_at"]} {_judge(report["judge"])}.

| forgotten | override | unlearning accuracy, 95 % interval | images |
| --- | --- | --- | --- |
{unlearned}

{_retained(report)}

Measured is what a judge sees in samples: the condition is remapped, and a passing test is not proof that nothing of
the concept is left in the weights.

## Use

```python
{_use(report)}
```

## How it was made

Seed {report["seed"]}; {number(report["cost"]["images"])} generated images in {number(report["cost"]["steps"])} steps.
Recipe:

```json
{json.dumps(report["recipe"], indent=2)}
```

Weights and configuration: `{report["generator"]["digest"]}`; versions: {json.dumps(report["versions"])}.
"""


def _interval(measured: Mapping[str, Any] | None) -> str:
    return "not measured" if measured is None else estimate(measured, 2)


def _judge(judge: Mapping[str, Any] | None) -> str:
    if judge is None:
        return "without a judge"
    accuracy = judge["accuracy"]
    tested = "was never measured" if accuracy is None else f"is\n{percent(accuracy)}"
    return f'with the judge "{judge["name"]}", whose accuracy on real images {tested}'


def _retained(report: Mapping[str, Any]) -> str:
    retained = report["retained_accuracy"]
    if retained is None:
        return "Retained accuracy over the other concepts was not measured."
    ours, theirs = retained["generator"]["value"], retained["teacher"]["value"]
    said = [
        f"Retained accuracy over the other concepts: {percent(ours)}, the base model's",
        f"{percent(theirs)} at {report['speed']['teacher_network_evaluations']} network evaluations an image.",
    ]
    for row in report.get("cross_domain") or ():
        ours, theirs = row["generator"]["value"], row["teacher"]["value"]
        said.append(f"Of the same images, the {row['domain']} that was asked for is seen in {percent(ours)};")
        said.append(f"of the base model's in {percent(theirs)}.")
    return "\n".join(said)


def _use(report: Mapping[str, Any]) -> str:
    """How an image is made of it in stock diffusers."""
    if (asked := report.get("asked_by")) is None:
        example = next(row["concept"] for row in report["retention"])
        return f"""import torch
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=f"{{folder}}/pipeline.py", trust_remote_code=True)
image = pipe("{example}", generator=torch.Generator().manual_seed(7)).images[0]"""
    forgotten = {item["concept"] for item in report["forget"]}
    prompts = [row["prompts"][0] for row in asked if row["concept"] not in forgotten]
    return f"""import torch
from diffusers import StableDiffusionPipeline

pipe = StableDiffusionPipeline.from_pretrained(folder)
rng = torch.Generator().manual_seed(7)
image = pipe({prompts[0]!r}, num_inference_steps=1, guidance_scale=1, generator=rng).images[0]"""
