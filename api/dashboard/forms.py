"""What a form of a page sends, without a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request
from pydantic import ValidationError


async def _posted(request: Request) -> Mapping[str, str]:
    """The first value of each field; browsers end the lines of a text with CR LF, which nobody typed."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    return {name: values[0].replace("\r\n", "\n") for name, values in fields.items()}


def wrong_reason(error: ValidationError) -> str:
    """Return what is wrong with a reason, as it is said beside its field."""
    said = error.errors(include_url=False, include_context=False)[0]["msg"].removeprefix("Value error, ")
    return said.replace("String should have", "the reason must have")


Posted = Annotated[Mapping[str, str], Depends(_posted)]
"""A form's fields by name. How large a body may be, ``api.observing`` says."""
