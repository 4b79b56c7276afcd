"""What a probe showed, in one or two sentences for a reader who is no engineer. Chosen by intervals: a difference is
only said where the 95 % interval of the difference excludes zero, and what the luck of one attack can make of it.
Measured, never proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfd_core.display.numbers import estimate, number
from sfd_core.evaluation.intervals import Interval, difference
from sfd_core.evaluation.probes.curve import Curve
from sfd_core.evaluation.probes.subject import Network

LUCK = 0.15
"""An attack that is trained (a fine-tuning, a search) ends elsewhere with another seed, which the interval over images
does not know: on models/fashion, over five seeds, rates of the same network had a standard deviation of up to 0.07."""


@dataclass(frozen=True)
class Level:
    """The share seen as the forgotten class from images noised to step ``t``, of which ``signal`` (a_t) is left."""

    t: int
    signal: float
    generator: Interval
    base: Interval
    floor: Interval


def more(first: Interval, second: Interval, luck: float = 0.0) -> bool:
    """Whether the first share is larger than the second beyond chance, by more than ``luck``."""
    return difference(first, second).low > luck


def say_relearning(concept: str, curves: Sequence[Curve], last: int) -> str:
    """``last``: the last step that a curve may have."""
    by = {(curve.network, curve.n): curve for curve in curves}
    sizes = sorted({curve.n for curve in curves})
    networks = dict.fromkeys(curve.network for curve in curves)

    def steps(network: Network) -> str:
        found = [by[network, n].steps_to_half for n in sizes]
        return ", ".join(f"more than {last}" if step is None else str(step) for step in found)

    def sooner(first: Network, second: Network) -> list[int]:
        """For which n the first network's UA fell faster than the second's."""
        return [n for n in sizes if _faster(by[first, n], by[second, n])]

    said = (
        f"Fine-tuned on {_listed(sizes)} images of {concept}, the generator draws it in half of its images again "
        f"after {steps('generator')} steps"
    )
    if "never_knew" not in networks:
        said += f"; the untouched base after {steps('base')}. "
        slower = sooner("base", "generator")
        found = "It is slower to relearn than" if slower else "It relearns as quickly as"
        return (
            f"{said}{found} the base that was never changed. No network that never knew {concept} was at hand, so this "
            "does not say whether something of it is left."
        )
    said += f"; a network that never knew it after {steps('never_knew')}; the untouched base after {steps('base')}. "
    if faster := sooner("generator", "never_knew"):
        return (
            f"{said}With {_listed(faster)} images it relearns faster than the network that never knew {concept}: "
            "something that helps to draw it is left in the weights."
        )
    return f"{said}It relearns no faster than the network that never knew {concept}: this probe shows no trace of it."


def _faster(first: Curve, second: Curve) -> bool:
    """Whether the first network's UA is below the second's at the step at which it fell under one half, or else at its
    last one. A second network that was under one half by then was not slower, wherever its curve ends."""
    step = first.points[-1].step if first.steps_to_half is None else first.steps_to_half
    if second.steps_to_half is not None and second.steps_to_half <= step:
        return False
    return more(second.at(step), first.at(step), LUCK)


def say_image_start(
    concept: str,
    asked: str,
    concepts: int,
    levels: Sequence[Level],
    evaluations: int,
    many: Interval,
    many_base: Interval,
) -> str:
    """``asked``: what the floor was asked for; ``concepts``: how many the model knows; ``many``, ``many_base``: the
    share seen in ``evaluations`` steps from noise, by the generator's network and the base's."""
    completed = [level for level in levels if more(level.generator, level.floor)]
    if completed:
        at = _listed([level.t for level in completed])
        best = max(completed, key=lambda level: level.generator.value - level.floor.value)
        said = (
            f"Given noised images of {concept} and asked for it, the generator gives {concept} back more often than "
            f"the base asked for {asked} does, at t = {at} (most at {best.t}: {estimate(best.generator, 0)} against "
            f"{estimate(best.floor, 0)}): who has such an image can have it completed. "
        )
    else:
        said = (
            f"Given noised images of {concept} and asked for it, the generator gives {concept} back no more often than "
            f"the base asked for {asked} does: where {concept} is seen at all, it is the image that was given. "
        )
    said += (
        f"Its network run for {evaluations} steps from pure noise draws {concept} in {estimate(many, 0)} of the "
        f"images, the base's in {estimate(many_base, 0)}"
    )
    # A network that is asked for nothing in particular draws each of its concepts now and then.
    if many.low > 1 / concepts:
        return f"{said}: {concept} is gone from the one step, but not gone from its weights."
    return f"{said}."


def say_condition_attack(concept: str, found: Mapping[Network, Interval], scored_by_another: bool) -> str:
    ours, base = found["generator"], found["base"]
    said = (
        f"A search over conditions brings {concept} out of the generator in {estimate(ours, 0)} of the images, out of "
        f"the untouched base in {estimate(base, 0)}"
    )
    if base.high < 0.5:
        return f"{said}: a search that finds so little even there is too weak to say anything of the generator."
    if (never := found.get("never_knew")) is not None:
        said += f", and out of a network that never knew {concept} in {estimate(never, 0)}. "
        said += (
            f"That is more than can be put together without having known {concept}: its look is still within reach."
            if more(ours, never, LUCK)
            else f"That is no clear sign of more than the network that never knew {concept}: what is found can be put "
            "together out of other classes."
        )
    else:
        said += ". "
        said += (
            f"No network that never knew {concept} was at hand, so what a search puts together out of other classes "
            "is not told apart from what is left."
        )
    if not scored_by_another:
        said += " The judge that was searched with also scored it, so noise that fools this judge counts as a success."
    return said


def _listed(values: Sequence[int]) -> str:
    """``10, 100 and 1 000``."""
    texts = [number(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
