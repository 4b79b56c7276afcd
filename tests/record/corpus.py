"""Corrupted records and generators, made systematically from a good one: every way that we can think of in which a
record, its key or its files could be changed, each with what must be named when it is found.

Used by the tests, and by ``python -m benchmarks.records``, which counts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from securesystemslib.signer import CryptoSigner, SSlibKey

from jobs.record import read_statement, sign
from tests.record.case import Case, Mutation, flipped, leaves, other_than, payload_of, put, spelt
from tests.record.corpus_of_files import files, folders

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the group: S and S + order would both satisfy a careless verifier."""


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


def _with_padding_bit(case: Case, part: str, bit: int) -> Case:
    data = json.loads(case.text)
    holder, field = (data, "payload") if part == "payload" else (data["signatures"][0], "sig")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    letters = holder[field]
    assert letters.endswith("=="), part
    holder[field] = letters[:-3] + alphabet[alphabet.index(letters[-3]) ^ 1 << bit] + "=="
    assert base64.b64decode(holder[field]) == base64.b64decode(letters)
    return case.with_text(spelt(data))
