"""Text and JSON of files that people write and programs of theirs save. Plain: does not import torch.

Some editors begin a UTF-8 file with a byte order mark. It says nothing, so it makes no difference here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def text_of(data: bytes) -> str:
    """Return the text of a UTF-8 file's bytes.

    Raises:
        UnicodeDecodeError: for bytes that are not UTF-8.
    """
    return data.decode("utf-8-sig")


def read_json(path: Path) -> Any:
    """Read what a JSON file says.

    Raises:
        OSError: for a file that cannot be read.
        ValueError, RecursionError: for one that is not UTF-8 or not JSON.
    """
    return json.loads(text_of(path.read_bytes()))
