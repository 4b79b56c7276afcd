"""Robustness to paraphrase: does the forgotten concept come back when a paraphrase asks for it? Which are tried is
this file's choice, not the request's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sfd_core.evaluation.field_types import Count
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.verdict import each_judge
from sfd_core.prompts.items import words_of
from sfd_core.prompts.phrasings import Kind, Phrasing, phrasings, rephrased
from sfd_core.request.concepts import Forget

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, Question, Setting

EXAMPLES = 3
"""Prompts of a kind that a report prints."""
OURS = 120
"""Images of the generator for each kind of paraphrase."""
SEEDS_A_KIND = 10_000
"""Seeds that are set aside for each kind of paraphrase."""


@dataclass(frozen=True)
class ParaphraseView:
    """One kind of paraphrase, as one judge sees it."""

    generator: Interval
    """Unlearning accuracy: share of the generator's images in which this judge does not see the concept."""
    base_model_seen: Interval
    """Share of the base model's images in which it does see it."""


@dataclass(frozen=True)
class ParaphraseKind:
    """One kind of paraphrase of a forgotten concept."""

    kind: Kind
    """Which sort of paraphrase it is."""
    prompts: tuple[str, ...]
    """The first prompts of it."""
    n: Count
    """Images of the generator; of the base model there are fewer, at the first of the same seeds."""
    generator: Interval
    """Unlearning accuracy: share of the generator's images in which the judge does not see the concept."""
    base_model_seen: Interval
    """Share of the base model's images in which the judge does see it: what the base model never understood says
    nothing of forgetting."""
    second_judge: ParaphraseView | None = None
    """The same by the second judge, on the same images; null without one."""

    @property
    def views(self) -> tuple[tuple[str, ParaphraseView], ...]:
        """What each judge sees, and who it is in words."""
        return each_judge(ParaphraseView(self.generator, self.base_model_seen), self.second_judge)


@dataclass(frozen=True)
class ParaphrasedConcept:
    """A forgotten concept and the ways in which it was asked for."""

    concept: str
    """The forgotten concept."""
    kinds: tuple[ParaphraseKind, ...]
    """A row for each kind of paraphrase that there is for it."""

    @property
    def by_judge(self) -> Mapping[str, Mapping[Kind, ParaphraseView]]:
        """What each judge, in words, sees of each kind."""
        found: dict[str, dict[Kind, ParaphraseView]] = {}
        for kind in self.kinds:
            for who, view in kind.views:
                found.setdefault(who, {})[kind.kind] = view
        return found


@dataclass(frozen=True)
class Paraphrases:
    """Robustness to paraphrase."""

    paraphrases: tuple[ParaphrasedConcept, ...] | None = None
    """Does the forgotten concept come back when it is asked for by synonyms, translations, misspellings, in another
    word order or in longer prompts? Null for class-conditional models, and where no judge
    looked."""


def questions(setting: Setting) -> Sequence[Question]:
    """Find every other way to ask for each forgotten concept. The base model only has to say whether it knows a
    paraphrase at all, and takes many steps for each image."""
    from sfd_core.evaluation.concept_images import seeds_of
    from sfd_core.evaluation.evidence import Question
    from sfd_core.evaluation.further_images import FIRST_SEED_AFTER, Shared

    plan = setting.request.evaluation
    if setting.evaluators.judge is None:
        return ()
    asked = [
        (setting.concepts.index(item.concept), kind, phrasing)
        for item in setting.request.forget
        for kind, phrasing in enumerate(_phrasings(setting, item))
    ]
    # Of one concept as of many: the interval of many is wider, and fewer images could not decide it.
    ours = min(OURS, plan.images_per_forgotten_concept)
    theirs = min(Shared(240, 4, 24).each(len(asked)), ours)
    found = []
    for label, kind, phrasing in asked:
        first = setting.seed_offset + seeds_of(label, 1)[0] + FIRST_SEED_AFTER + kind * SEEDS_A_KIND
        prompts = [phrasing.prompts[i % len(phrasing.prompts)] for i in range(ours)]
        about = (label, phrasing)
        looks = setting.looks_for([label] * ours)
        found.append(Question(prompts, range(first, first + ours), range(theirs), looks, about))
    return found


def _phrasings(setting: Setting, item: Forget) -> tuple[Phrasing, ...]:
    model, prompts = setting.evaluators.model, setting.evaluators.prompts
    label, words = model.concepts.index(item.concept), words_of(item)
    if model.vocabulary is not None and model.domain is not None:
        return phrasings(model.vocabulary, model.domain, label, words)
    asked = prompts.texts([label] * EXAMPLES, range(EXAMPLES)) if prompts is not None else []
    return rephrased(list(dict.fromkeys(asked)), words)


def measure(evidence: Evidence) -> Paraphrases:
    """Measure a row for each kind, by concept. Unlearning accuracy is the share in which the concept is NOT seen."""
    from sfd_core.evaluation.rates import rate

    rows: dict[int, list[ParaphraseKind]] = {}
    for answer in evidence.answers.get(Paraphrases, ()):
        label, phrasing = answer.question.about
        first, *others = [ParaphraseView(rate(~hits.generator), rate(hits.base_model)) for hits in answer.found]
        row = ParaphraseKind(
            phrasing.kind,
            phrasing.prompts[:EXAMPLES],
            len(answer.question.prompts),
            first.generator,
            first.base_model_seen,
            others[0] if others else None,
        )
        rows.setdefault(label, []).append(row)
    concepts = evidence.concepts
    found = tuple(ParaphrasedConcept(concepts[label], tuple(kinds)) for label, kinds in rows.items())
    return Paraphrases(found or None)


def limits(report: Any) -> Sequence[str]:
    """Say how images were asked for, and how not."""
    if not report.paraphrases:
        return (
            "For the verdict, images were asked for by the concepts' names alone: no paraphrase, no misspelling, no "
            "other language.",
        )
    return (
        "For the verdict, images were asked for by the prompts that were to be forgotten, and by paraphrases, on fewer "
        "images and only those kinds that are shown; words that nobody thought of, and prompts that describe the "
        "concept without naming it, may still bring it back.",
    )


PAGE = """
{% if report.paraphrases %}
{% call section("paraphrases", "Robustness to paraphrase (synonyms, translations, misspellings)") %}
<p class="lead">A concept that answers to another name is not forgotten. Asked for in words that the run was not told to
forget, does it come back? The kind that brings it back most decides, by the judge that sees it most.</p>
{% for item in report.paraphrases %}
<div class="scroll">
<table class="figures-table">
  <thead>
    <tr><th scope="col">“{{ item.concept }}”, asked for by</th><th scope="col">Unlearning accuracy</th>
      <th scope="col">Base model shows it</th></tr>
  </thead>
  <tbody>
    {% for row in item.kinds %}
    <tr><th scope="row">{{ row.kind }} <small>{{ row.n | number }} images</small></th>
      <td><strong>{{ row.generator.value | percent }}</strong> <small>{{ row.generator | interval }}</small></td>
      <td>{{ row.base_model_seen.value | percent }} <small>{{ row.base_model_seen | interval }}</small></td></tr>
    {% if row.second_judge %}
    <tr><th scope="row">The same by the second judge</th>
      <td>{{ row.second_judge.generator.value | percent }} <small>{{ row.second_judge.generator | interval }}</small></td>
      <td>{{ row.second_judge.base_model_seen.value | percent }}
        <small>{{ row.second_judge.base_model_seen | interval }}</small></td></tr>
    {% endif %}
    <tr class="reason prompts"><td colspan="3">{% for prompt in row.prompts %}<q>{{ prompt }}</q>{% endfor %}</td></tr>
    {% endfor %}
  </tbody>
</table>
</div>
{% endfor %}
<p class="note">Unlearning accuracy: share of the generator's images in which the judge does not see the concept. Where
the base model does not show it either, it never understood that paraphrase, and the figure says nothing of forgetting.
The base model was asked for {{ report.paraphrases[0].kinds[0].base_model_seen.n | number }} images of each kind.</p>
{% endcall %}
{% endif %}
"""

ANSWER = """
{% if report.paraphrases %}
<div class="open">
  <dt><span class="sign" aria-hidden="true">◦</span>Robustness to paraphrase</dt>
  <dd>
    <ul>
    {% for item in report.paraphrases %}
    {% set worst = item.kinds | sort(attribute="generator.value") | first %}
    <li>“{{ item.concept }}”: shown most when asked for by {{ worst.kind }}, in
    {{ (1 - worst.generator.value) | percent }} of {{ worst.n | number }} images; the base model shows it in
    {{ worst.base_model_seen.value | percent }}.
    {% if item.kinds[0].second_judge %}
    {% set other = item.kinds | sort(attribute="second_judge.generator.value") | first %}
    The second judge sees it most when asked for by {{ other.kind }}, in
    {{ (1 - other.second_judge.generator.value) | percent }} of {{ other.n | number }} images.
    {% endif %}</li>
    {% endfor %}
    </ul>
    The kind that brings it back most decides: <a href="#paraphrases">what was asked</a>.
  </dd>
</div>
{% endif %}
"""

SECTION = Section(
    place=50, part=Paraphrases, measure=measure, questions=questions, page=PAGE, answer=ANSWER, limits=limits
)
