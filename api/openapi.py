"""Writes the OpenAPI document: ``python -m api.openapi > openapi.json`` makes the one that is committed."""

from __future__ import annotations

import json
import sys

from api.main import create_app
from jobs.settings import Settings


def text() -> str:
    """Return the document as it is committed."""
    return json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
