"""A record of a few small files, written by hand: what it states to the last field, and each thing that can be wrong
with it, by name and in words."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner

from jobs.record.releasing import released
from jobs.record.signing import (
    KeyRefused,
    encode,
    generate_key,
    load_public_key,
    load_signer,
    public_path_of,
    public_pem,
    sign,
)
from jobs.record.statement import Origin, Release, Statement, build_record, from_report, subjects, with_release
from jobs.record.verify import (
    MAX_RECORD_BYTES,
    RecordMismatch,
    _envelope,
    read_record,
    read_statement,
    verify,
)

REPORT: dict[str, Any] = {
    "recipe": {"alpha": 1.2},
    "seed": 7,
    "cost": {"images": 32, "seconds": 1.5},
    "evaluators": [{"name": "judge"}],
    "scores": {"file": "scores.safetensors", "sha256": "0" * 64, "images": 3},
    "pictures": {"pairs": "pairs.png"},
    "verdict": "pass",
    "criteria": [{"name": "unlearning_accuracy", "threshold": 1.0}],
    "probes": {
        "asked": ["relearning"],
        "results": {"relearning": [{"concept": "red", "pool": 64, "statement": "It comes back."}]},
    },
    "limits": ["one judge"],
    "more": "which a record does not repeat",
}
REPEATED: dict[str, Any] = {
    "recipe": {"alpha": 1.2},
    "seeds": {
        "training": 7,
        "images": "image i of class label k is made from seed 1000000000 + 1000000 k + i",
    },
    "images_trained": 32,
    "evaluators": [{"name": "judge"}],
    "scores": {"file": "evaluation/scores.safetensors", "sha256": "0" * 64, "images": 3},
    "pictures": {"pairs": "evaluation/pairs.png"},
    "verdict": "pass",
    "criteria": [{"name": "unlearning_accuracy", "threshold": 1.0}],
    "probes": {
        "tried": ["relearning"],
        "found": {"relearning": [{"concept": "red", "statement": "It comes back."}]},
    },
    "limits": ["one judge"],
}
MODEL: Any = SimpleNamespace(name="tiny", digest="sha256:1", files={"unet/w": "2" * 64})
ENVIRONMENT = {
    "code": {"sfd_core": "sha256:3"},
    "dependencies": {"torch": "2.13"},
    "machine": {"device": "cpu"},
    "x": 1,
}
REQUEST = {"seed": 7, "recipe": {"alpha": 1.2}}
SIGNER = CryptoSigner.generate_ed25519()
KEYS = (SIGNER.public_key,)
ORIGIN = Origin("job_1", 2, "acme", {"ticket": "T-1"})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def files() -> dict[str, bytes]:
    return {
        "unet/config.json": b"{}",
        "README.md": b"a card",
        "evaluation/report.json": json.dumps(REPORT).encode(),
        "evaluation/pairs.png": b"a picture",
    }


def statement_of(origin: Origin | None = ORIGIN) -> Statement:
    digests = {name: sha256(content) for name, content in files().items()}
    generator = {name: digest for name, digest in digests.items() if not name.startswith("evaluation/")}
    report = {name.removeprefix("evaluation/"): d for name, d in digests.items() if name.startswith("evaluation/")}
    return build_record(REPORT, REQUEST, MODEL, ENVIRONMENT, generator, report, origin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The archive, without its record."""
    root = tmp_path / "archive"
    for name, content in files().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def mismatch(text: str, folder: Path | None = None, **options: Any) -> tuple[str, str]:
    """Where something does not hold, and what."""
    with pytest.raises(RecordMismatch) as caught:
        verify(text, KEYS, folder, **options)
    assert str(caught.value) == f"{caught.value.where}: {caught.value.what}"
    return caught.value.where, caught.value.what


def changed(**fields: Any) -> str:
    """The signed record with other fields of its statement, signed again."""
    return sign({**statement_of(), **fields}, SIGNER)


def spelt(**fields: Any) -> str:
    """The signed record with other fields of its envelope, spelt as records are."""
    envelope = {**json.loads(sign(statement_of(), SIGNER)), **fields}
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")) + "\n"


def test_what_a_record_states() -> None:
    statement = statement_of()
    made = datetime.fromisoformat(statement["predicate"].pop("created_at"))
    assert made.utcoffset() == timedelta(0)
    assert made.microsecond == 0
    assert abs(datetime.now(UTC) - made) < timedelta(seconds=60)
    gone = "not published; deleted with the run's work folder once the run is over"
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": sha256(content)}} for name, content in sorted(files().items())],
        "predicateType": "urn:lethe:unlearning-record:v1",
        "predicate": {
            "job": "job_1",
            "attempt": 2,
            "asked_by": {"tenant": "acme", "metadata": {"ticket": "T-1"}},
            "request": REQUEST,
            "base_model": {"name": "tiny", "digest": "sha256:1", "files": {"unet/w": "2" * 64}},
            "code": {"sfd_core": "sha256:3"},
            "dependencies": {"torch": "2.13"},
            "machine": {"device": "cpu"},
            **REPEATED,
            "changed": [],
            "derived": {
                "generator_ema": "published",
                "generator_raw": gone,
                "fake_score": "kept by the service, so that a later job can go on from it; handed out to nobody",
                "optimizer": gone,
                "checkpoints": gone,
            },
            "release": None,
        },
    }


def test_a_run_that_no_job_asked_for_has_no_origin() -> None:
    predicate = statement_of(None)["predicate"]
    assert (predicate["job"], predicate["attempt"]) == (None, None)
    assert predicate["asked_by"] == {"tenant": None, "metadata": {}}


def test_what_a_record_repeats_of_its_report() -> None:
    assert from_report(REPORT) == REPEATED


def test_the_digests_of_a_records_files() -> None:
    assert subjects(statement_of()) == {name: sha256(content) for name, content in files().items()}


def test_a_release_is_an_entry_and_nothing_else() -> None:
    old = statement_of()
    new = with_release(old, Release("ada", "an appeal", "2026-01-01T00:00:00+00:00"), "4" * 64)
    entry = {"by": "ada", "reason": "an appeal", "at": "2026-01-01T00:00:00+00:00", "previous_record_sha256": "4" * 64}
    assert new == {**old, "predicate": {**old["predicate"], "release": entry}}
    assert old["predicate"]["release"] is None


def test_a_released_record_speaks_for_the_one_before() -> None:
    release, text = Release("ada", "an appeal", "2026-01-01T00:00:00+00:00"), sign(statement_of(), SIGNER)
    new = verify(released(text, release, SIGNER, KEYS), KEYS)
    assert new.key_id == SIGNER.public_key.keyid
    assert new.predicate["release"]["previous_record_sha256"] == sha256(text.encode())
    plain = sign(statement_of(), None)
    assert verify(released(plain, release, SIGNER, KEYS), (), unsigned=True).key_id is None
    with pytest.raises(ValueError, match="a signed record is not replaced by one without a signature"):
        released(text, release, None, KEYS)


def test_the_spelling_of_a_record() -> None:
    """Sorted JSON without spaces in an envelope of the same, in UTF-8, with standard base64 and a line's end."""
    statement: Statement = {"b": "é", "a": [1, 2]}
    text = sign(statement, None)
    payload = base64.b64encode('{"a":[1,2],"b":"é"}'.encode()).decode()
    assert text == f'{{"payload":"{payload}","payloadType":"application/vnd.in-toto+json","signatures":[]}}\n'
    signed = json.loads(sign(statement, SIGNER))
    (signature,) = signed.pop("signatures")
    assert signed == {"payload": payload, "payloadType": "application/vnd.in-toto+json"}
    key: Any = load_pem_public_key(public_pem(SIGNER))
    kind, body = b"application/vnd.in-toto+json", base64.b64decode(payload)
    key.verify(base64.b64decode(signature["sig"]), b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body))
    assert signature["keyid"] == SIGNER.public_key.keyid
    assert encode(_envelope(text)) == text
    with pytest.raises(ValueError, match="JSON compliant"):
        sign({"a": float("inf")}, None)


def test_a_record_that_holds(folder: Path) -> None:
    text = sign(statement_of(), SIGNER)
    for where in (None, folder):
        found = verify(text, (CryptoSigner.generate_ed25519().public_key, *KEYS), where)
        assert (found.key_id, found.files) == (SIGNER.public_key.keyid, None if where is None else 4)
        assert found.statement == read_statement(text)
        assert found.predicate == found.statement["predicate"]
    assert verify(text, KEYS, folder, unsigned=True).key_id == SIGNER.public_key.keyid
    plain = verify(sign(statement_of(), None), KEYS, folder, unsigned=True)
    assert (plain.key_id, plain.files) == (None, 4)


def test_an_unsigned_record_is_taken_on_demand_alone() -> None:
    where = ("envelope.signatures", "this record is unsigned: anybody may have written it")
    assert mismatch(sign(statement_of(), None)) == where
    assert mismatch(sign(statement_of(), None), unsigned=False) == where


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "envelope", "not JSON: "),
        ("[" * 100_000, "envelope", "not JSON: "),
        ("[]", "envelope", "must be an object of payload, payloadType, signatures and nothing else"),
        (spelt(more=1), "envelope", "must be an object of payload, payloadType, signatures and nothing else"),
        (spelt(payload=1), "envelope.payload", "must be text"),
        (spelt(payloadType="x"), "envelope.payloadType", "must be 'application/vnd.in-toto+json', not 'x'"),
        (spelt(signatures={}), "envelope.signatures", "must be a list of one signature, or of none"),
        (spelt(signatures=[1, 2]), "envelope.signatures", "must be a list of one signature, or of none"),
        (spelt(signatures=[{"keyid": "x"}]), "envelope.signatures[0]", "must be an object of keyid, sig and nothing"),
        (spelt(signatures=[{"keyid": "x", "sig": 1}]), "envelope.signatures[0]", "keyid and sig must be text"),
        (spelt(signatures=[{"keyid": 1, "sig": "x"}]), "envelope.signatures[0]", "keyid and sig must be text"),
        (spelt(payload="a"), "envelope", "payload or signature is not base64: "),
        (spelt(signatures=[{"keyid": "x", "sig": "a"}]), "envelope", "payload or signature is not base64: "),
        (" " + spelt(), "envelope", "not spelt as records are, at byte 0 (white space, order or base64)"),
        (spelt() + " ", "envelope", f"not spelt as records are, at byte {len(spelt())} (white"),
        (spelt()[:-1], "envelope", f"not spelt as records are, at byte {len(spelt()) - 1} (white"),
        (spelt(payload=base64.b64encode(b"[").decode()), "payload", "payload and signature do not belong together"),
    ],
)
def test_an_envelope_that_is_spelt_otherwise(text: str, where: str, what: str) -> None:
    found = mismatch(text)
    assert found[0] == where
    assert found[1].startswith(what)


def payload(content: bytes) -> str:
    """An unsigned record of this payload."""
    return spelt(payload=base64.b64encode(content).decode(), signatures=[])


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (payload(b"["), "payload", "not JSON: "),
        (payload(b"[" * 100_000), "payload", "not JSON: "),
        (payload(b"[]"), "payload", "must be an object of _type, predicate, predicateType, subject and nothing else"),
        (changed(subject={}), "payload.subject", "must be a list of files"),
        (changed(_type="x"), "payload._type", "is 'x', this Lethe reads 'https://in-toto.io/Statement/v1'"),
        (changed(predicateType="x"), "payload.predicateType", "is 'x', this Lethe reads 'urn:lethe:unlearning-rec"),
        (changed(predicate=[]), "payload.predicate", "must be an object"),
        (changed(subject=[1]), "payload.subject[0]", "must be a name and a sha256 digest, and nothing else"),
        *(
            (changed(subject=[{"name": "a", "digest": {"sha256": "0"}}, other]), "payload.subject[1]", "must be a name")
            for other in (
                {"name": 1, "digest": {"sha256": "0"}},
                {"name": "b"},
                {"name": "b", "digest": {"sha256": 0}},
                {"name": "b", "digest": {"sha512": "0"}},
                {"name": "b", "digest": {"sha256": "0", "sha512": "0"}},
                {"name": "b", "digest": {"sha256": "0"}, "uri": "x"},
            )
        ),
        (changed(subject=[{"name": "a", "digest": {"sha256": "0"}}] * 2), "payload.subject", "names a file twice"),
    ],
)
def test_a_statement_of_another_shape(text: str, where: str, what: str) -> None:
    found = mismatch(text, unsigned=True)
    assert found[0] == where
    assert found[1].startswith(what)


def test_a_key_that_is_not_trusted_is_named_beside_those_that_are() -> None:
    stranger = CryptoSigner.generate_ed25519()
    text, keyid = sign(statement_of(), stranger), stranger.public_key.keyid
    where = "envelope.signatures[0].keyid"
    assert mismatch(text) == (where, f"{keyid!r} is not a key that is trusted ({SIGNER.public_key.keyid})")
    with pytest.raises(RecordMismatch, match=r"is not a key that is trusted \(none\)"):
        verify(text, ())
    other = CryptoSigner.generate_ed25519().public_key
    with pytest.raises(RecordMismatch, match=rf"\({other.keyid}, {SIGNER.public_key.keyid}\)"):
        verify(text, (other, *KEYS))


def under_the_old_signature(**fields: Any) -> str:
    """The signed record with another statement, and the signature that it had."""
    signatures = json.loads(sign(statement_of(), SIGNER))["signatures"]
    payload = json.loads(sign({**statement_of(), **fields}, None))["payload"]
    return spelt(payload=payload, signatures=signatures)


def test_a_payload_that_nobody_signed_is_said_with_what_the_folder_contradicts(folder: Path) -> None:
    predicate = {**statement_of()["predicate"], "verdict": "fail"}
    for text, where, hint in (
        (under_the_old_signature(predicate=predicate), None, "something was changed after signing"),
        (under_the_old_signature(predicate={**predicate, "verdict": "pass", "job": "job_9"}), folder, "something was"),
        (
            under_the_old_signature(predicate=predicate),
            folder,
            "payload.predicate.verdict: the record states 'fail', evaluation/report.json says 'pass'",
        ),
        (under_the_old_signature(subject=1), None, "payload.subject: must be a list of files"),
    ):
        at, what = mismatch(text, where)
        assert at == "payload"
        assert what.startswith(f"payload and signature do not belong together: {hint}")


Change = Callable[[Path], object]


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (lambda f: (f / "README.md").unlink(), "README.md", "is missing from the folder"),
        (
            lambda f: (f / "README.md").write_bytes(b"x"),
            "README.md",
            f"sha256 is {sha256(b'x')}, the record states {sha256(b'a card')}",
        ),
        (lambda f: (f / "a.txt").write_bytes(b"x"), "'a.txt'", "the record does not speak of this file"),
        (lambda f: (f / "unet" / "é").write_bytes(b"x"), r"'unet/\xe9'", "the record does not speak of this file"),
        (lambda f: (f / "a").symlink_to(f / "README.md"), "'a'", "is a symbolic link; an archive has none"),
        (lambda f: (f / "unet" / "a").symlink_to(f), "'unet/a'", "is a symbolic link; an archive has none"),
        (lambda f: os.mkfifo(f / "unet" / "a"), "'unet/a'", "is not a regular file"),
        (
            lambda f: (f / "unlearning-record.json").write_bytes(b"x"),
            "unlearning-record.json",
            "the record in the folder is another one",
        ),
    ],
)
def test_a_folder_that_is_not_what_the_record_speaks_of(folder: Path, change: Change, where: str, what: str) -> None:
    change(folder)
    assert mismatch(sign(statement_of(), SIGNER), folder) == (where, what)


def test_of_several_things_that_do_not_hold_the_first_by_name_is_told(folder: Path) -> None:
    text = sign(statement_of(), SIGNER)
    for name in ("c", "a", "b"):
        (folder / name).write_bytes(b"x")
    assert mismatch(text, folder)[0] == "'a'"
    for name in ("unet/config.json", "README.md", "evaluation/pairs.png"):
        (folder / name).write_bytes(b"x")
    assert mismatch(text, folder)[0] == "README.md"
    subjects = list(reversed(statement_of()["subject"]))
    assert mismatch(changed(subject=subjects), folder)[0] == "README.md"
    for name in ("z", "y", "x"):
        (folder / name).symlink_to(folder)
    assert mismatch(text, folder)[0] == "'x'"


def test_of_several_fields_that_contradict_the_report_the_first_by_name_is_told(folder: Path) -> None:
    """A record is sorted; what the report says of it need not be."""
    report = {**REPORT, "recipe": {"c": 1, "b": 1, "a": 1}}
    stated = with_report(folder, json.dumps(report).encode(), recipe={"c": 2, "b": 2, "a": 2})
    assert mismatch(stated, folder)[0] == "payload.predicate.recipe.a"


def test_a_folder_with_its_record_and_an_empty_folder_in_it_holds(folder: Path) -> None:
    text = sign(statement_of(), SIGNER)
    (folder / "unlearning-record.json").write_bytes(text.encode())
    (folder / "empty").mkdir()
    assert verify(text, KEYS, folder).files == 4


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert mismatch(sign(statement_of(), SIGNER), tmp_path / "a") == (str(tmp_path / "a"), "no such folder")
    (tmp_path / "a").write_bytes(b"")
    assert mismatch(sign(statement_of(), SIGNER), tmp_path / "a") == (str(tmp_path / "a"), "no such folder")


def with_report(folder: Path, content: bytes, **predicate: Any) -> str:
    """The record of the folder with another report, signed along with it."""
    (folder / "evaluation/report.json").write_bytes(content)
    statement = statement_of()
    for subject in statement["subject"]:
        if subject["name"] == "evaluation/report.json":
            subject["digest"]["sha256"] = sha256(content)
    return sign({**statement, "predicate": {**statement["predicate"], **predicate}}, SIGNER)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}",
        b"[]",
        b"[" * 100_000,
        json.dumps({**REPORT, "probes": {"asked": [], "results": [1]}}).encode(),
        json.dumps({**REPORT, "scores": None}).encode(),
    ],
    ids=["no JSON", "empty", "a list", "too deep", "of another shape", "without scores"],
)
def test_a_report_that_tells_of_no_run(folder: Path, content: bytes) -> None:
    where, what = mismatch(with_report(folder, content), folder)
    assert where == "evaluation/report.json"
    assert what.startswith("is no report of a run: ")


@pytest.mark.parametrize(
    ("predicate", "where", "what"),
    [
        ({"verdict": None}, "verdict", "the record states None, evaluation/report.json says 'pass'"),
        ({"recipe": {"alpha": 1}}, "recipe.alpha", "the record states 1, evaluation/report.json says 1.2"),
        ({"recipe": {}}, "recipe", "the record states {}, evaluation/report.json says {'alpha': 1.2}"),
        ({"recipe": [1.2]}, "recipe", "the record states [1.2], evaluation/report.json says {'alpha': 1.2}"),
        ({"limits": ["one judge", "x"]}, "limits", "the record states ['one judge', 'x'], evaluation/report.json says"),
        ({"limits": {"0": "one judge"}}, "limits", "the record states {'0': 'one judge'}, evaluation/report.json says"),
        (
            {"criteria": [{"name": "unlearning_accuracy", "threshold": 1}]},
            "criteria[0].threshold",
            "the record states 1, evaluation/report.json says 1.0",
        ),
        ({"images_trained": True}, "images_trained", "the record states True, evaluation/report.json says 32"),
    ],
)
def test_a_record_that_contradicts_its_report(folder: Path, predicate: Any, where: str, what: str) -> None:
    text = with_report(folder, json.dumps(REPORT).encode(), **predicate)
    at, found = mismatch(text, folder)
    assert at == f"payload.predicate.{where}"
    assert found.startswith(what)


def test_a_record_without_what_the_report_says_contradicts_it(folder: Path) -> None:
    statement = statement_of()
    del statement["predicate"]["verdict"]
    assert mismatch(sign(statement, SIGNER), folder)[0] == "payload.predicate.verdict"


def test_a_record_that_speaks_of_no_report_is_held_against_its_files_alone(folder: Path) -> None:
    (folder / "evaluation/report.json").unlink()
    statement = statement_of()
    statement["subject"] = [s for s in statement["subject"] if s["name"] != "evaluation/report.json"]
    assert verify(sign(statement, SIGNER), KEYS, folder).files == 3


def test_reading_a_record_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"{}\r\n")
    assert read_record(path) == "{}\r\n"
    path.write_bytes(b"{}\xc3\xa9")
    with pytest.raises(RecordMismatch, match=r"^envelope: byte 2 is not ASCII$"):
        read_record(path)


def test_a_record_of_sixteen_megabytes_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "record"
    assert MAX_RECORD_BYTES == 16 * 1024 * 1024
    path.write_bytes(b" ")
    os.truncate(path, MAX_RECORD_BYTES)
    assert len(read_record(path)) == MAX_RECORD_BYTES
    os.truncate(path, MAX_RECORD_BYTES + 1)
    with pytest.raises(RecordMismatch, match=r"larger than 16777216 bytes, no record is") as refused:
        read_record(path)
    assert refused.value.where == str(path)


def test_a_key_pair_is_for_its_owner_and_signs(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = generate_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_path_of(path) == tmp_path / "key.pub"
    signer, public = load_signer(path), load_public_key(tmp_path / "key.pub")
    assert made == signer.public_key == public
    assert (tmp_path / "key.pub").read_bytes() == public_pem(signer)
    assert public_pem(signer).startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert verify(sign(statement_of(), signer), [public]).key_id == made.keyid


@pytest.mark.parametrize("name", ["key", "key.pub"])
def test_a_link_is_not_overwritten_either(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    message = f"{tmp_path / name} is there already, and a key is never overwritten: choose another name"
    with pytest.raises(KeyRefused, match=message):
        generate_key(tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("load", "right"),
    [
        (load_signer, "an Ed25519 private key in PEM without a password, as `lethe record keygen` makes"),
        (load_public_key, "an Ed25519 public key in PEM, as `lethe record keygen` writes beside the private one"),
    ],
)
def test_what_is_no_key_is_refused_with_what_would_be_right(tmp_path: Path, load: Any, right: str) -> None:
    path = tmp_path / "key"
    with pytest.raises(KeyRefused) as refused:
        load(path)
    assert str(refused.value).endswith(f"{path}: cannot be read: No such file or directory")
    path.write_bytes(b"x")
    with pytest.raises(KeyRefused) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: not {right}: ")


def _locked() -> bytes:
    locked = BestAvailableEncryption(b"x")
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def test_a_key_with_a_password_or_of_another_kind_is_refused_with_what_would_be_right(tmp_path: Path) -> None:
    path = tmp_path / "key"
    right = "an Ed25519 private key in PEM without a password, as `lethe record keygen` makes"
    path.write_bytes(_locked())
    with pytest.raises(KeyRefused) as refused:
        load_signer(path)
    assert str(refused.value).startswith(f"{path}: not {right}: ")
    other = X25519PrivateKey.generate()
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(KeyRefused) as refused:
        load_signer(path)
    assert str(refused.value) == f"{path}: a key of another kind; it must be {right}"
    path.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyRefused) as refused:
        load_public_key(path)
    right = "an Ed25519 public key in PEM, as `lethe record keygen` writes beside the private one"
    assert str(refused.value) == f"{path}: a key of another kind; it must be {right}"
