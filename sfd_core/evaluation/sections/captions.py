"""Do the remaining concepts still come when they are asked for by captions that nothing was trained on?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.field_types import Count
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.verdict import each_judge
from sfd_core.prompts.phrasings import unseen_prompts

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, Question, Setting

EXAMPLES = 3


@dataclass(frozen=True)
class RetainedCaptions:
    """The remaining concepts, asked for by captions that neither the base model nor the run was trained on."""

    prompts: tuple[str, ...]
    """Examples of the captions."""
    n: Count
    """Images of the generator."""
    generator: Interval
    """Share of the generator's images in which the judge sees what was asked."""
    base_model: Interval
    """The same of the base model, on fewer images."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""
    second_judge: AccuracyView | None = None
    """The same by the second judge, on the same images; null without one."""

    @property
    def views(self) -> tuple[tuple[str, AccuracyView], ...]:
        """What each judge sees, and who it is in words."""
        return each_judge(AccuracyView(self.generator, self.base_model, self.drop), self.second_judge)


@dataclass(frozen=True)
class Captions:
    """The accuracy that remains on captions that were never seen."""

    retained_captions: RetainedCaptions | None = None
    """The remaining concepts, asked for by captions that neither the base model nor the run was trained on. Null
    where there are none."""


def questions(setting: Setting) -> Sequence[Question]:
    """Ask for unseen captions of the remaining concepts. Without a vocabulary the concepts that remain are captions
    themselves: there is nothing more to ask."""
    from sfd_core.evaluation.concept_images import seeds_of
    from sfd_core.evaluation.evidence import Question
    from sfd_core.evaluation.further_images import FIRST_SEED_AFTER, Shared

    model, kept = setting.evaluators.model, setting.kept
    if model.vocabulary is None or model.domain is None or not model.vocabulary.unseen_templates:
        return ()
    if setting.evaluators.judge is None:
        return ()
    ours = min(Shared(480, 1, 20).each(len(kept)), setting.request.evaluation.images_per_concept)
    theirs = min(Shared(240, 1, 20).each(len(kept)), ours)
    prompts: list[str] = []
    for label in kept:
        captions = unseen_prompts(model.vocabulary, model.domain, label)
        prompts += [captions[i % len(captions)] for i in range(ours)]
    seeds = [setting.seed_offset + seeds_of(label, 1)[0] + FIRST_SEED_AFTER + i for label in kept for i in range(ours)]
    by_base_model = [i for i in range(len(prompts)) if i % ours < theirs]
    labels = [label for label in kept for _ in range(ours)]
    return (Question(prompts, seeds, by_base_model, setting.looks_for(labels)),)


def measure(evidence: Evidence) -> Captions:
    """Measure what is shown as asked, of both."""
    from sfd_core.evaluation.rates import rate

    for answer in evidence.answers.get(Captions, ()):
        prompts = answer.question.prompts
        examples = tuple(prompts[:: max(1, len(prompts) // EXAMPLES)][:EXAMPLES])
        first, *others = [AccuracyView.of(rate(hits.generator), rate(hits.base_model)) for hits in answer.found]
        second = others[0] if others else None
        shown = (first.generator, first.base_model, first.drop)
        return Captions(RetainedCaptions(examples, len(prompts), *shown, second))
    return Captions()


PAGE = """
{% if report.retained_captions %}
{% set r = report.retained_captions %}
{% call section("captions", "What remains, by captions that were never seen") %}
<dl class="facts">
  <div><dt>Generator <small>{{ r.n | number }} images, as {% for prompt in r.prompts
    %}<q>{{ prompt }}</q>{{ ", " if not loop.last }}{% endfor %}</small></dt>
    <dd>shown as asked in {{ r.generator.value | percent }} ({{ r.generator | interval }})</dd></div>
  <div><dt>Base model <small>{{ r.base_model.n | number }} images</small></dt>
    <dd>shown as asked in {{ r.base_model.value | percent }} ({{ r.base_model | interval }})</dd></div>
  {% if r.second_judge %}
  <div><dt>The same by the second judge</dt>
    <dd>generator {{ r.second_judge.generator.value | percent }} ({{ r.second_judge.generator | interval }}), base model
    {{ r.second_judge.base_model.value | percent }} ({{ r.second_judge.base_model | interval }})</dd></div>
  {% endif %}
</dl>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=55, part=Captions, measure=measure, questions=questions, page=PAGE)
