"""JSON into the dataclasses of a request and back: they are its schema, with their bounds and texts. Plain.

The one place where pydantic's findings become ours: a JSON pointer, and in words what would be right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from pydantic import ConfigDict, Field, Strict, TypeAdapter, ValidationError, with_config

from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.json_values import faults
from sfd_core.suggestions import did_you_mean

T = TypeVar("T")

MAX_MEMBERS = 200
"""Of one object in a request: some times what any has."""
MAX_ITEMS = 10_000
"""Of one list in a request."""
MOST_ERRORS = 100
"""Wrong fields that are told: a request that has more is something else."""

known_fields_only = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))
"""For a dataclass that is read from JSON."""

# Exact types: no "64" for a number, no number for true or false, no NaN.
Text = Annotated[str, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]


def not_given(value: object) -> bool:
    """Say whether an optional field was left out: for ``exclude_if``, so that it is not written either."""
    return value is None


def check_sound(raw: Any) -> None:
    """Refuse what no field of a request can be, before anybody looks at its fields.

    Raises:
        InvalidRequest: for values that nothing could keep (``sfd_core.json_values``), and for objects and lists longer
            than any part of a request.
    """
    if wrong := tuple(islice(faults(raw, MAX_MEMBERS, MAX_ITEMS), MOST_ERRORS)):
        raise InvalidRequest(tuple(FieldError(pointer, message) for pointer, message in wrong))


def read(kind: type[T], raw: Any, at: str = "") -> T:
    """Read ``raw``, as JSON has it, as a ``kind``. ``at``: the JSON pointer of ``raw`` in its document.

    Raises:
        InvalidRequest: with every wrong value.
    """
    try:
        right: T = _adapter(kind).validate_python(raw)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise InvalidRequest(tuple(islice(_found(found, kind, at), MOST_ERRORS))) from None
    return right


def read_right_fields(kind: type, raw: Any) -> tuple[dict[str, Any], tuple[FieldError, ...]]:
    """Read the fields of the dataclass ``kind`` that are right in ``raw``, by name, and what is wrong with the others:
    one mistake hides no other, also where the next check is of what a field means."""
    try:
        return vars(_adapter(kind).validate_python(raw)), ()
    except ValidationError as error:
        found = error.errors(include_url=False)
        wrong = {str(part) for one in found for part in one["loc"][:1]}
        given = raw if isinstance(raw, Mapping) else {}
        hints = get_type_hints(kind, include_extras=True)
        names = [name for name in hints if name in given and name not in wrong]
        right = {name: _adapter(hints[name]).validate_python(given[name]) for name in names}
        return right, tuple(islice(_found(found, kind, ""), MOST_ERRORS))


def written(value: Any) -> Any:
    """Write the JSON of ``value``, a dataclass that :func:`read` reads: equal again where it is read back."""
    return _adapter(type(value)).dump_python(value, mode="json")


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def _found(found: Sequence[Mapping[str, Any]], kind: type, at: str) -> Iterator[FieldError]:
    within = {wrong["loc"][:n] for wrong in found for n in range(len(wrong["loc"]))}
    for wrong in found:
        if wrong["type"] == "too_short" and wrong["loc"] in within:
            continue  # not too few: those that are wrong were not counted
        pointer = at + _pointer(wrong["loc"])
        cause = wrong.get("ctx", {}).get("error")
        if isinstance(cause, InvalidRequest):  # one of ours, which points into the value that it is about
            yield from (FieldError(pointer + inner.pointer, inner.message) for inner in cause.errors)
        elif wrong["type"] == "unexpected_keyword_argument":
            yield FieldError(pointer, _unknown(kind, wrong["loc"]))
        else:
            yield FieldError(pointer, _message(wrong))


def _unknown(kind: Any, parts: Sequence[int | str]) -> str:
    """What is said of an unknown field, to which ``parts`` lead from a ``kind``."""
    for part in parts[:-1]:
        if isinstance(part, str):
            hint = get_type_hints(kind)[part]
            kind = next(one for one in (hint, *get_args(hint)) if dataclasses.is_dataclass(one))
    known = [field.name for field in dataclasses.fields(kind)]
    return f"unknown field{did_you_mean(str(parts[-1]), known)}; known: {', '.join(known)}"


def _pointer(parts: Iterable[object]) -> str:
    """A JSON pointer (RFC 6901) from its parts. The name of a member is pointed at as its value is."""
    named = [str(part) for part in parts if part != "[key]"]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in named)


_MESSAGES: Mapping[str, str] = {
    "missing": "is required",
    "dataclass_type": "must be an object",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "string_unicode": "holds half a surrogate pair",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}, not {input}",
    "greater_than": "must be above {gt}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "less_than": "must be below {lt}, not {input}",
    "too_short": "must have at least {min_length} item, not {actual_length}",
    "too_long": "must have at most {max_length} items, not {actual_length}",
    "literal_error": "must be one of {expected}",
}


def _message(wrong: Mapping[str, Any]) -> str:
    """What would be right, in the words of this service; pydantic's own for what is rare."""
    if (template := _MESSAGES.get(wrong["type"])) is not None:
        return template.format(input=wrong["input"], **wrong.get("ctx", {}))
    said = str(wrong["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return said[:1].lower() + said[1:]
