"""The model card of a published generator: what was forgotten, how, and what was measured."""

from __future__ import annotations

import dataclasses
import json

from sfd_core.display.numbers import estimate, number, percent
from sfd_core.display.overrides import written_in_words
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.judge_facts import JudgeFacts
from sfd_core.evaluation.parts import part
from sfd_core.evaluation.sections.cross_domain import CrossDomain
from sfd_core.evaluation.sections.retention import Retention
from sfd_core.evaluation.sections.unlearning import Unlearning
from sfd_core.families.usage import Usage
from sfd_core.report.by_domain import by_domain
from sfd_core.report.page.training_end import training_end
from sfd_core.report.report import Report


def model_card(report: Report, usage: Usage) -> str:
    """Write the card as Markdown, from a finished report. ``usage``: how diffusers draws with the generator."""
    base, domains = report.base_model, by_domain(report)
    unlearning = [row for each in domains for row in part(each, Unlearning).unlearning]
    forgotten = [item.concept for item in report.forget]
    cost, recipe, generator = report.cost, report.recipe, report.generator
    if cost is None or recipe is None or generator is None:
        raise ValueError("a card is made of the report of a run: this one has no cost, recipe or generator")
    made = "A one-step generator" if usage.steps == 1 else f"A generator of {usage.steps} steps"
    unlearned = "\n".join(
        f"| {row.concept} | {written_in_words(row.override)} | {_interval(row.accuracy)} | {number(row.n)} |"
        for row in unlearning
    )
    return f"""---
library_name: diffusers
license: other
tags: [score-forgetting-distillation, unlearning, {"one-step" if usage.steps == 1 else "few-step"}]
---

# {base.title} without {", ".join(forgotten)}

{made}, distilled without any data from `{base.name}` (`{base.digest}`) by Score Forgetting
Distillation (arXiv 2409.11219). Licence of the base model: {base.license}.

Verdict: **{report.verdict}** by the thresholds of the request ({json.dumps(dict(report.thresholds))}), measured on
{report.created_at} {" and ".join(_judge(each.judge) for each in domains)}.

| forgotten | override | unlearning accuracy, 95 % interval | images |
| --- | --- | --- | --- |
{unlearned}

{chr(10).join(map(_retained, domains))}

Measured is what a judge sees in samples: the condition is remapped, and a passing test is not proof that nothing of
the concept is left in the weights.

## Use

```python
{_use(report, usage)}
```

## How it was made

Seed {report.seed}; {number(cost.images)} generated images in {number(cost.steps)} steps. Training
{training_end(report)}. Recipe:

```json
{json.dumps(dataclasses.asdict(recipe), indent=2)}
```

Weights and configuration: `{generator.digest}`; versions: {json.dumps(dict(report.versions))}.
"""


def _interval(measured: Interval | None) -> str:
    return "not measured" if measured is None else estimate(measured, 2)


def _judge(judge: JudgeFacts | None) -> str:
    if judge is None:
        return "without a judge"
    accuracy = judge.accuracy
    tested = "was never measured" if accuracy is None else f"is\n{percent(accuracy)}"
    return f'with the judge "{judge.name}", whose accuracy on real images {tested}'


def _retained(report: Report) -> str:
    retained = part(report, Retention).retained_accuracy
    if retained is None:
        return "Retained accuracy over the other concepts was not measured."
    ours, theirs = retained.generator.value, retained.base_model.value
    steps = report.speed.base_model_network_evaluations if report.speed is not None else 0
    said = [
        f"Retained accuracy over the other concepts: {percent(ours)}, the base model's",
        f"{percent(theirs)} at {steps} network evaluations an image.",
    ]
    for row in part(report, CrossDomain).cross_domain or ():
        ours, theirs = row.generator.value, row.base_model.value
        said.append(f"Of the same images, the {row.domain} that was asked for is seen in {percent(ours)};")
        said.append(f"of the base model's in {percent(theirs)}.")
    return "\n".join(said)


def _use(report: Report, usage: Usage) -> str:
    """How an image is made of it in stock diffusers."""
    opened = f"""import torch
from diffusers import {usage.opening.partition(".")[0]}

pipe = {usage.opening}"""
    if (asked := report.asked_by) is None:
        kept = [row.concept for row in part(report, Retention).retention]  # none where no judge looked
        example = kept[0] if kept else report.forget[0].concept
        return f"""{opened}
image = pipe("{example}", generator=torch.Generator().manual_seed(7)).images[0]"""
    forgotten = {item.concept for item in report.forget}
    prompts = [row.prompts[0] for row in asked if row.concept not in forgotten]
    call = f"pipe({prompts[0]!r}, {', '.join(usage.arguments)}"
    if usage.steps > 1:
        return f"""{opened}
torch.manual_seed(7)  # noise is drawn anew between the steps
image = {call}).images[0]"""
    return f"""{opened}
rng = torch.Generator().manual_seed(7)
image = {call}, generator=rng).images[0]"""
