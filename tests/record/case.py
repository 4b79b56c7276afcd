"""A good record to corrupt: one real run of the tiny model, its folder, its key, and what changes copies of it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner, SSlibKey

from cli.local_run import run
from jobs.record import RECORD, Origin, build_record, sign, verify
from jobs.record.statement import Statement, subjects
from jobs.settings import Settings, load_settings
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel

BODY: dict[str, Any] = {
    "forget": [{"concept": "red", "override": "green"}],
    "budget": {"images": 32},
    "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
    "recipe": {"batch": 8, "forgotten_share": 0.25, "lr_generator": 1e-3},
    "seed": 7,
}


@dataclass(frozen=True)
class Case:
    """A record, the folder that it speaks of, and the keys that are trusted. ``signer`` made its signature."""

    text: str
    folder: Path
    keys: tuple[SSlibKey, ...]
    signer: CryptoSigner

    def copy(self, folder: Path) -> Case:
        """The same with a folder of its own."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)

    def with_text(self, text: str) -> Case:
        """The same with another record, which lies in the folder too."""
        (self.folder / RECORD).write_bytes(text.encode())
        return replace(self, text=text)

    def with_envelope(self, **fields: Any) -> Case:
        """The same with other fields of the envelope, spelt as records are."""
        return self.with_text(spelt({**json.loads(self.text), **fields}))

    def with_payload(self, payload: bytes) -> Case:
        """The same with another payload under the old signature."""
        return self.with_envelope(payload=base64.b64encode(payload).decode())

    def verify(self) -> None:
        """Raises ``RecordMismatch``."""
        verify(self.text, self.keys, self.folder)


@dataclass(frozen=True)
class Mutation:
    """``apply`` changes a case (its folder in place); ``names``: what the mismatch must name."""

    part: str
    what: str
    apply: Callable[[Case], Case]
    names: str


def unsigned_settings(checkpoint_seconds: float = 1000) -> Settings:
    """Of a run whose record nobody signs."""
    return load_settings({"checkpoint_seconds": checkpoint_seconds, "signing_key": None})


def make_case(model: BaseModel, out: Path) -> Case:
    """Run the tiny model and record it as the service would, for a payload that has base64 padding."""
    result = run(model, admit(BODY, model), out, "cpu", unsigned_settings())
    report = json.loads((result.folder / "evaluation" / "report.json").read_text())
    predicate, files = result.record["predicate"], subjects(result.record)
    signer = CryptoSigner.generate_ed25519()
    for ticket in ("T-1", "T-12", "T-123"):
        statement = build_record(
            report,
            predicate["request"],
            model,
            {name: predicate[name] for name in ("code", "dependencies", "machine")},
            {name: digest for name, digest in files.items() if not name.startswith("evaluation/")},
            {name.removeprefix("evaluation/"): d for name, d in files.items() if name.startswith("evaluation/")},
            Origin("job_" + "0" * 32, 1, "acme", {"ticket": ticket}),
        )
        text = sign(statement, signer)
        if json.loads(text)["payload"].endswith("=="):
            break
    case = Case(text, result.folder, (signer.public_key,), signer)
    return case.with_text(text)


def spelt(envelope: object) -> str:
    """As records are spelt."""
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")) + "\n"


def payload_of(statement: Statement) -> bytes:
    """As payloads are written."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every value that holds no other, with the way to it. An empty list or object is one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    pairs = list(inside)
    if not pairs:
        yield path, value
    for key, each in pairs:
        yield from leaves(each, (*path, key))


def put(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    """``value`` with ``new`` at ``path``; what it was made of is left alone."""
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = put(value[path[0]], path[1:], new)
    return copied


def other_than(value: object) -> object:
    """A value of the same kind that is another."""
    match value:
        case bool():
            return not value
        case int() | float():
            return -value if value else 1  # not one more: a large float would stay what it is
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case None:
            return "x"
        case _:
            return ["x"]


def flipped(content: bytes, i: int, bit: int = 3) -> bytes:
    """``content`` with one bit of byte ``i`` turned over."""
    return content[:i] + bytes([content[i] ^ 1 << bit]) + content[i + 1 :]
