"""Corrupted records and generators, made systematically from a good one: every way that we can think of in which a
record, its key or its files could be changed, each with what must be named when it is found.

Used by the tests, and by ``python -m benchmarks.records``, which counts.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner, SSlibKey

from cli.local_run import run
from jobs.record import RECORD, Origin, build_record, read_statement, sign, verify
from jobs.record.statement import Statement, subjects
from sfd_core.manifest import BaseModel
from sfd_core.request import parse_request

BODY: dict[str, Any] = {
    "forget": [{"concept": "red", "override": "green"}],
    "budget": {"images": 32},
    "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
    "recipe": {"batch": 8, "forgotten_share": 0.25, "lr_generator": 1e-3},
    "seed": 7,
}
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the group: S and S + order would both satisfy a careless verifier."""


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


def make_case(model: BaseModel, out: Path) -> Case:
    """Run the tiny model and record it as the service would, for a payload that has base64 padding."""
    result = run(model, parse_request(BODY, model), out, "cpu", 1000, None)
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


def mutations(case: Case) -> Iterator[Mutation]:
    """The whole corpus for ``case``."""
    yield from spellings(case)
    yield from envelopes(case)
    yield from signatures(case)
    yield from payloads(case)
    yield from files(case)
    yield from folders(case)


def spellings(case: Case) -> Iterator[Mutation]:
    """Other bytes that decode to the very same envelope."""
    text, data = case.text, json.loads(case.text)
    others = {
        "a space in front": " " + text,
        "a space after a colon": text.replace('":', '": ', 1),
        "a second line's end": text + "\n",
        "no line's end": text.removesuffix("\n"),
        "a carriage return": text.replace("\n", "\r\n"),
        "indented": json.dumps(data, sort_keys=True, indent=1) + "\n",
        "fields in another order": json.dumps(dict(reversed(data.items())), separators=(",", ":")) + "\n",
        "an escaped letter in a name": text.replace("payload", "\\u0070ayload", 1),
        "an escaped slash": text.replace("application/", "application\\/", 1),
        "a field twice": text.replace("{", '{"payloadType":"' + data["payloadType"] + '",', 1),
        "a byte order mark": "\ufeff" + text,
        "a NUL at the end": text + "\0",
        "a line's end within the payload": spelt(
            {**data, "payload": data["payload"][:76] + "\n" + data["payload"][76:]}
        ),
        "a letter outside base64 in the payload": spelt({**data, "payload": "!" + data["payload"]}),
        "the payload without padding": spelt({**data, "payload": data["payload"].rstrip("=")}),
        "more padding": spelt({**data, "payload": data["payload"] + "="}),
    }
    for what, other in others.items():
        yield Mutation("spelling", what, lambda c, other=other: c.with_text(other), "envelope")
    for part in ("payload", "signature"):
        for bit in range(4):  # with two signs of padding the last letter has four bits that decode to nothing
            yield Mutation(
                "spelling",
                f"padding bit {bit} of the {part}",
                lambda c, part=part, bit=bit: _with_padding_bit(c, part, bit),
                "envelope",
            )


def envelopes(case: Case) -> Iterator[Mutation]:
    """Other fields of the envelope, spelt as records are."""
    data = json.loads(case.text)
    signature = data["signatures"][0]
    another = json.loads(sign(read_statement(case.text), CryptoSigner.generate_ed25519()))["signatures"][0]
    fields: list[tuple[str, dict[str, Any], str]] = [
        ("another payload type", {"payloadType": "application/json"}, "envelope.payloadType"),
        ("the payload type in capitals", {"payloadType": data["payloadType"].upper()}, "envelope.payloadType"),
        ("a field more", {"comment": "x"}, "envelope"),
        ("a payload that is no text", {"payload": 1}, "envelope.payload"),
        ("an empty payload", {"payload": ""}, "payload"),
        ("no signature", {"signatures": []}, "unsigned"),
        ("signatures that are no list", {"signatures": signature}, "envelope.signatures"),
        ("the signature twice", {"signatures": [signature, signature]}, "envelope.signatures"),
        ("somebody else's signature beside it", {"signatures": [signature, another]}, "envelope.signatures"),
        ("somebody else's signature in its place", {"signatures": [another]}, "keyid"),
        ("a field more in the signature", {"signatures": [{**signature, "cert": "x"}]}, "envelope.signatures[0]"),
        ("a signature without key id", {"signatures": [{"sig": signature["sig"]}]}, "envelope.signatures[0]"),
        ("a signature that is a number", {"signatures": [{**signature, "sig": 1}]}, "envelope.signatures[0]"),
    ]
    for what, changed, names in fields:
        yield Mutation("envelope", what, lambda c, changed=changed: c.with_envelope(**changed), names)
    for name in data:
        without = {other: value for other, value in data.items() if other != name}
        yield Mutation("envelope", f"no {name}", lambda c, w=without: c.with_text(spelt(w)), "envelope")


def signatures(case: Case) -> Iterator[Mutation]:
    """Key id, signature and key."""
    signature = json.loads(case.text)["signatures"][0]
    keyid, sig = signature["keyid"], base64.b64decode(signature["sig"])

    def signed(keyid: str, sig: bytes) -> Callable[[Case], Case]:
        field = [{"keyid": keyid, "sig": base64.b64encode(sig).decode()}]
        return lambda c: c.with_envelope(signatures=field)

    for i in range(0, len(keyid), 8):
        other = keyid[:i] + ("0" if keyid[i] != "0" else "1") + keyid[i + 1 :]
        yield Mutation("signature", f"letter {i} of the key id", signed(other, sig), "keyid")
    yield Mutation("signature", "the key id in capitals", signed(keyid.upper(), sig), "keyid")
    yield Mutation("signature", "an empty key id", signed("", sig), "keyid")
    for i in range(len(sig)):
        yield Mutation("signature", f"byte {i} of the signature", signed(keyid, flipped(sig, i)), "payload")
    s = int.from_bytes(sig[32:], "little") + ED25519_ORDER
    other_s = sig[:32] + s.to_bytes(32, "little")
    yield Mutation("signature", "the signature's other S", signed(keyid, other_s), "payload")
    yield Mutation("signature", "a signature of zeros", signed(keyid, bytes(64)), "payload")
    yield Mutation("signature", "an empty signature", signed(keyid, b""), "payload")
    yield Mutation("signature", "a signature cut short", signed(keyid, sig[:-1]), "payload")
    yield Mutation("signature", "a signature that is longer", signed(keyid, sig + b"\0"), "payload")

    stranger = CryptoSigner.generate_ed25519()
    disguised = SSlibKey(keyid, "ed25519", "ed25519", stranger.public_key.keyval)
    yield Mutation("key", "another key is trusted", lambda c: replace(c, keys=(stranger.public_key,)), "keyid")
    yield Mutation("key", "no key is trusted", lambda c: replace(c, keys=()), "keyid")
    yield Mutation("key", "another key under the same key id", lambda c: replace(c, keys=(disguised,)), "payload")
    yield Mutation(
        "key", "signed by a stranger", lambda c: c.with_text(sign(read_statement(c.text), stranger)), "keyid"
    )
    yield Mutation(
        "key",
        "signed by a stranger under the trusted key id",
        lambda c: c.with_envelope(
            signatures=[{**json.loads(sign(read_statement(c.text), stranger))["signatures"][0], "keyid": keyid}]
        ),
        "payload",
    )


def payloads(case: Case) -> Iterator[Mutation]:
    """Every field of the statement changed, dropped and joined by another, under the old signature."""
    statement = read_statement(case.text)
    for path, value in leaves(statement):
        where = ".".join(map(str, path))
        yield Mutation(
            "field changed",
            where,
            lambda c, path=path, value=value: c.with_payload(payload_of(put(statement, path, other_than(value)))),
            "payload",
        )
    for name in statement["predicate"]:
        predicate = {other: value for other, value in statement["predicate"].items() if other != name}
        yield Mutation(
            "field dropped",
            f"predicate.{name}",
            lambda c, p=predicate: c.with_payload(payload_of({**statement, "predicate": p})),
            "payload",
        )
    added = {**statement, "predicate": {**statement["predicate"], "note": "x"}}
    yield Mutation("field added", "predicate.note", lambda c: c.with_payload(payload_of(added)), "payload")
    fewer = {**statement, "subject": statement["subject"][1:]}
    yield Mutation("field dropped", "subject.0", lambda c: c.with_payload(payload_of(fewer)), "payload")
    more = {**statement, "subject": [*statement["subject"], {"name": "x", "digest": {"sha256": "0" * 64}}]}
    yield Mutation("field added", "subject", lambda c: c.with_payload(payload_of(more)), "payload")
    spaced = json.dumps(statement, sort_keys=True, ensure_ascii=False).encode()
    yield Mutation("field changed", "white space in the payload", lambda c: c.with_payload(spaced), "payload")
    yield Mutation("field changed", "the payload is no JSON", lambda c: c.with_payload(b"{"), "payload")
    yield Mutation("field changed", "the payload is a list", lambda c: c.with_payload(b"[]"), "payload")


def files(case: Case) -> Iterator[Mutation]:
    """Every file of the generator and of the report: changed, cut, emptied, removed, renamed, made a link."""
    names = sorted(subjects(read_statement(case.text)))
    for name in names:
        size = (case.folder / name).stat().st_size
        for i in sorted({0, size // 2, size - 1}):
            yield Mutation(
                "file changed", f"{name}, byte {i}", lambda c, n=name, i=i: _edit(c, n, lambda b: flipped(b, i)), name
            )
        yield Mutation("file changed", f"{name}, cut", lambda c, n=name: _edit(c, n, lambda b: b[:-1]), name)
        yield Mutation("file changed", f"{name}, longer", lambda c, n=name: _edit(c, n, lambda b: b + b"\n"), name)
        yield Mutation("file changed", f"{name}, empty", lambda c, n=name: _edit(c, n, lambda b: b""), name)
        yield Mutation("file missing", f"{name}, removed", lambda c, n=name: _remove(c, n), name)
        yield Mutation("file missing", f"{name}, renamed", lambda c, n=name: _rename(c, n, n + ".old"), name)
        yield Mutation("link", name, lambda c, n=name: _link(c, n), name)
    for a, b in itertools.pairwise(names):
        yield Mutation("files swapped", f"{a} and {b}", lambda c, a=a, b=b: _swap(c, a, b), a)
    weights = next(name for name in names if name.endswith(".safetensors"))
    for tensor, offset in tensors(case.folder / weights):
        yield Mutation(
            "file changed",
            f"{weights}, the lowest bit of {tensor}",
            lambda c, i=offset: _edit(c, weights, lambda b: flipped(b, i, 0)),
            weights,
        )


def folders(case: Case) -> Iterator[Mutation]:
    """What does not belong in the folder, and what is not a folder."""
    for name in ("extra.txt", ".hidden", "unet/extra.bin", "evaluation/extra.png", "new/extra", f"evaluation/{RECORD}"):
        yield Mutation("file added", name, lambda c, n=name: _add(c, n), name)
    yield Mutation("file added", "a copy of a good file", lambda c: _copy(c, "README.md", "README-2.md"), "README-2.md")
    yield Mutation("file added", "a name that is no text", _add_odd_name, "\\udcff")
    yield Mutation(
        "link", "a link to a file outside", lambda c: _link_to(c, "outside", Path("/etc/hostname")), "outside"
    )
    yield Mutation("link", "a link to a folder", lambda c: _link_to(c, "unet2", c.folder / "unet"), "unet2")
    yield Mutation("link", "a folder that became a link", _link_folder, "unet")
    yield Mutation("file added", "a pipe", _add_pipe, "pipe")
    yield Mutation("record", "an older record lies in the folder", _older_record, RECORD)
    yield Mutation(
        "record", "the folder is not there", lambda c: replace(c, folder=c.folder / "absent"), "no such folder"
    )


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
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case None:
            return "x"
        case _:
            return ["x"]


def flipped(content: bytes, i: int, bit: int = 3) -> bytes:
    """``content`` with one bit of byte ``i`` turned over."""
    return content[:i] + bytes([content[i] ^ 1 << bit]) + content[i + 1 :]


def tensors(path: Path) -> Iterator[tuple[str, int]]:
    """Name and first byte, within the file, of each tensor of a safetensors file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for name, each in header.items():
        if name != "__metadata__":
            yield name, 8 + length + each["data_offsets"][0]


def _with_padding_bit(case: Case, part: str, bit: int) -> Case:
    data = json.loads(case.text)
    holder, field = (data, "payload") if part == "payload" else (data["signatures"][0], "sig")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    letters = holder[field]
    assert letters.endswith("=="), part
    holder[field] = letters[:-3] + alphabet[alphabet.index(letters[-3]) ^ 1 << bit] + "=="
    assert base64.b64decode(holder[field]) == base64.b64decode(letters)
    return case.with_text(spelt(data))


def _edit(case: Case, name: str, change: Callable[[bytes], bytes]) -> Case:
    path = case.folder / name
    path.write_bytes(change(path.read_bytes()))
    return case


def _remove(case: Case, name: str) -> Case:
    (case.folder / name).unlink()
    return case


def _rename(case: Case, name: str, new: str) -> Case:
    (case.folder / name).rename(case.folder / new)
    return case


def _swap(case: Case, a: str, b: str) -> Case:
    _rename(case, a, "held")
    _rename(case, b, a)
    return _rename(case, "held", b)


def _link(case: Case, name: str) -> Case:
    """The very same content, but it lies elsewhere."""
    elsewhere = case.folder.parent / "elsewhere"
    (case.folder / name).rename(elsewhere)
    (case.folder / name).symlink_to(elsewhere)
    return case


def _link_to(case: Case, name: str, target: Path) -> Case:
    (case.folder / name).symlink_to(target)
    return case


def _link_folder(case: Case) -> Case:
    elsewhere = case.folder.parent / "elsewhere"
    (case.folder / "unet").rename(elsewhere)
    return _link_to(case, "unet", elsewhere)


def _add(case: Case, name: str) -> Case:
    path = case.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    return case


def _copy(case: Case, name: str, new: str) -> Case:
    shutil.copyfile(case.folder / name, case.folder / new)
    return case


def _add_odd_name(case: Case) -> Case:
    with open(os.fsencode(case.folder) + b"/\xff", "wb") as stream:
        stream.write(b"x")
    return case


def _add_pipe(case: Case) -> Case:
    os.mkfifo(case.folder / "pipe")
    return case


def _older_record(case: Case) -> Case:
    (case.folder / RECORD).write_text(sign(read_statement(case.text), None))
    return case
