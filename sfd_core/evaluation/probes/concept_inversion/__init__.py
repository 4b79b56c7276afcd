"""Concept inversion (adversarial embedding): is there any condition under which the generator draws the concept? Its
results and words; ``attack`` computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfd_core.display.interval_charts import ShareBar, interval_chart
from sfd_core.display.numbers import estimate, percent
from sfd_core.evaluation.field_types import Count
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.probe import LUCK, NETWORKS, Network, ProbeResult, ProbeSpec, beside, more, short


@dataclass(frozen=True)
class ConceptInversion(ProbeResult):
    """One forgotten concept, searched for over the condition vector."""

    starts: Count
    """Vectors from which the search began."""
    steps: Count
    """Gradient steps from each start."""
    batch: Count
    """Images a step."""
    searched_with: str
    """The judge whose answer the search maximised."""
    scored_by: str
    """The judge that counted the successes: another one where there is one, so that a picture that fools the first
    judge is not counted as the look of the concept."""
    generator: Interval
    """Share of fresh images in which the concept is seen."""
    base_model: Interval
    """The same of the untouched base model's network in one step."""
    control: Interval | None
    """The same of a generator of a network retrained without the concept: what such a search finds where nothing was
    learnt. Null where the base model ships no such control."""
    first_stage: Interval | None = None
    """The same of the distilled generator that forgot nothing. Null where the base model ships none."""

    @property
    def by_network(self) -> Mapping[Network, Interval]:
        """The networks that there are."""
        found = {
            "generator": self.generator,
            "base_model": self.base_model,
            "control": self.control,
            "first_stage": self.first_stage,
        }
        return {name: share for name in NETWORKS if (share := found[name]) is not None}


def say(concept: str, found: Mapping[Network, Interval], scored_by_another: bool) -> str:
    """Write the statement."""
    ours, base_model = found["generator"], found["base_model"]
    said = (
        f"A search over conditions brings {concept} out of the generator in {estimate(ours, 0)} of the images, out of "
        f"the untouched base model in {estimate(base_model, 0)}"
    )
    if base_model.high < 0.5:
        return f"{said}: a search that finds so little even there is too weak to say anything of the generator."
    if (control := found.get("control")) is not None:
        said += f", and out of the control, retrained without {concept}, in {estimate(control, 0)}. "
        said += (
            f"That is more than can be put together without having known {concept}: its look is still within reach."
            if more(ours, control, LUCK)
            else f"That is no clear sign of more than the control, retrained without {concept}: what is found can be "
            "put together out of other classes."
        )
    else:
        said += ". "
        said += (
            f"No control that was retrained without {concept} was at hand, so what a search puts together out of other "
            "classes is not told apart from what is left."
        )
    if not scored_by_another:
        said += " The judge that was searched with also scored it, so noise that fools this judge counts as a success."
    return said


def _in_short(result: ConceptInversion) -> str:
    shares = {name: percent(share.value) for name, share in result.by_network.items()}
    by = " by the judge that was searched with" if result.scored_by == result.searched_with else ""
    said = f"under the best condition found, “{result.concept}” is seen{by} in {shares['generator']} of its images"
    return beside(said, shares)


def _charts(result: ConceptInversion) -> Sequence[tuple[str, str]]:
    title = f"Images in which “{result.concept}” is seen"
    places = {name: place for place, name in enumerate(NETWORKS)}
    shares = [ShareBar(short(name), vars(share), places[name]) for name, share in result.by_network.items()]
    return [(title, interval_chart(title, shares))]


PROBE = ProbeSpec(
    name="concept_inversion",
    place=30,
    title="Concept inversion (adversarial embedding)",
    question="Concept inversion: search for an embedding that draws the concept",
    summary="a search for an adversarial embedding that draws it",
    about="A gradient search looks for a condition, any embedding and not only those that names stand for, under which "
    "the generator shows the concept. Base model: the same search in the untouched network. Control: the same search "
    "in a generator of a network retrained without the concept, which says what a search finds where nothing was ever "
    "learnt.",
    tried="The search over the condition had a fixed budget and changed nothing else. A longer search, or one that "
    "changes the noise too, may find more.",
    not_tried="Whether some other condition than the concept's name makes the generator show it was not tried.",
    result=ConceptInversion,
    in_short=_in_short,
    charts=_charts,
    note="{{ r.starts | number }} starts, {{ r.steps | number }} steps of {{ r.batch | number }} images each; searched "
    "with {{ r.searched_with }}, scored by {{ r.scored_by }}{% if r.searched_with == r.scored_by %}, the same judge: a "
    "picture that merely fools it counts too{% endif %}. {% if r.control %}Control: retrained without the concept."
    "{% else %}This base model ships no control that was retrained without the concept, so there is nothing to say "
    "what a search finds where nothing was learnt.{% endif %}",
    module=__name__,
    former_name="condition_attack",
    works_on=("classes",),
)
