"""Prompts of which the text encoder reads the same as of what overrides them: such a run would forget nothing. Plain:
does not import torch.

A prompt is cut off at the tokens that fit. Where the concept stands behind them, the prompt and its override are one
condition to the network, and their difference, which is what is trained on, is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.families.text.layout import PipelineLayout
from sfd_core.families.text.tokens import Reading, prompt_reader
from sfd_core.prompts.plan import ForgottenPrompt, PromptPlan
from sfd_core.request.concepts import Forget
from sfd_core.request.override import Condition
from sfd_core.request.overrides.negative import NegativeOverride
from sfd_core.request.prompt_lists import MAX_ERRORS
from sfd_core.request.unlearning_request import UnlearningRequest

QUOTED = 60
"""Characters of a prompt that a message quotes."""


def check_plan(
    layouts: Sequence[PipelineLayout], request: UnlearningRequest, plan: PromptPlan, model: BaseModel
) -> None:
    """Refuse what :func:`check_read` refuses, where the tokenizers of the model, whose folder is one of ``layouts``,
    are at hand: a hub's model is fetched by the run, which checks it before it trains.

    Raises:
        InvalidRequest: as :func:`check_read`.
    """
    layout = next((layout for layout in layouts if layout.fits(model.folder)), None)
    if layout is not None:
        check_led_away(request, layout.guides_itself(model.folder))
    reader = prompt_reader(model.folder, layout.tokenizers) if layout is not None else None
    if reader is not None:
        check_read(request, plan, reader.read, reader.longest)


def check_led_away(request: UnlearningRequest, guides_itself: bool) -> None:
    """Refuse overrides that only guidance expresses, where the network ``guides_itself`` by a number.

    Raises:
        InvalidRequest: pointing at each.
    """
    message = "this model guides itself, away from nothing that a prompt says: name what replaces it, or other prompts"
    negative = [i for i, item in enumerate(request.forget) if isinstance(item.override, NegativeOverride)]
    if guides_itself and negative:
        raise InvalidRequest(tuple(FieldError(f"/forget/{i}/override", message) for i in negative))


def check_read(
    request: UnlearningRequest, plan: PromptPlan, read: Callable[[Sequence[str]], Sequence[Reading]], longest: int
) -> None:
    """Refuse prompts that ``read``, which gives at most ``longest`` tokens of each, reads as one of their overrides.

    Raises:
        InvalidRequest: pointing at every such prompt that the request gives, and at the words or the topic of which one
            was made; at most :data:`MAX_ERRORS`.
    """
    errors: list[FieldError] = []
    for i, (item, prompts) in enumerate(zip(request.forget, plan.forgotten, strict=True)):
        errors += _same(f"/forget/{i}", item, prompts, _tokens(prompts, read), longest)
    if errors:
        raise InvalidRequest(tuple(errors[:MAX_ERRORS]))


def _tokens(
    prompts: Sequence[ForgottenPrompt], read: Callable[[Sequence[str]], Sequence[Reading]]
) -> Mapping[str, Reading]:
    conditions = [condition for asked in prompts for condition in (asked.condition, *asked.overrides)]
    texts = list(dict.fromkeys(text for condition in conditions for text in (condition.prompt, condition.negative)))
    return dict(zip(texts, read(texts), strict=True))


def _same(
    at: str, item: Forget, prompts: Sequence[ForgottenPrompt], tokens: Mapping[str, Reading], longest: int
) -> Iterator[FieldError]:
    def seen(condition: Condition) -> tuple[Reading, Reading]:
        return tokens[condition.prompt], tokens[condition.negative]

    same = [j for j, asked in enumerate(prompts) if seen(asked.condition) in map(seen, asked.overrides)]
    says = (
        f"is read as its override is, in the {longest} tokens that the text encoder reads: nothing would be forgotten"
    )
    if item.prompts:
        yield from (FieldError(f"{at}/prompts/{j}", f"{says}; name the concept earlier") for j in same)
    elif same:
        field = "topic" if item.topic is not None else "words" if item.words is not None else "concept"
        prompt = prompts[same[0]].prompt
        quoted = prompt if len(prompt) <= QUOTED else f"{prompt[:QUOTED]} ..."
        more = f" (and {len(same) - 1} more prompts like it)" if len(same) > 1 else ""
        yield FieldError(f"{at}/{field}", f"{quoted!r}{more} {says}")
