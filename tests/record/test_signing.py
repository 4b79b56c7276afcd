"""Keys: made once, refused when they cannot sign, and readable by others than us."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from jobs.record import (
    KeyRefused,
    RecordMismatch,
    generate_key,
    load_public_key,
    load_signer,
    read_statement,
    released,
    sign,
    verify,
)
from jobs.record.signing import public_path_of, public_pem
from jobs.record.statement import Release
from jobs.settings import SettingsError, load_settings
from tests.record.case import Case

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "record.md"


def test_a_key_pair_is_for_its_owner_and_fits_together(tmp_path: Path) -> None:
    made = generate_key(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert load_signer(tmp_path / "key").public_key == load_public_key(tmp_path / "key.pub") == made


@pytest.mark.parametrize("taken", ["key", "key.pub"])
def test_a_key_is_never_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("precious")
    with pytest.raises(KeyRefused, match=f"{taken} is there already"):
        generate_key(tmp_path / "key")
    assert (tmp_path / taken).read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def _rsa() -> bytes:
    return generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _locked() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


def _public() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"", "not an Ed25519 private key in PEM"),
        (b"\xff\x00", "not an Ed25519 private key in PEM"),
        (_rsa(), "a key of another kind"),
        (_locked(), "without a password"),
        (_public(), "not an Ed25519 private key in PEM"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_at_start(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeyRefused, match=message) as refused:
        load_signer(path)
    assert str(path) in str(refused.value)
    with pytest.raises(SettingsError, match=f"LETHE_SIGNING_KEY: .*{message}"):
        load_settings({"signing_key": path})


@pytest.mark.parametrize(
    "content", [b"", _rsa(), Ed25519PrivateKey.generate().private_bytes_raw()], ids=["empty", "RSA", "raw"]
)
def test_what_is_no_public_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pub"
    path.write_bytes(content)
    with pytest.raises(KeyRefused, match="Ed25519 public key"):
        load_public_key(path)
    with pytest.raises(KeyRefused, match="cannot be read"):
        load_public_key(tmp_path)


def test_a_public_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    key = generate_private_key(65537, 2048).public_key()
    (tmp_path / "key.pub").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyRefused, match="a key of another kind"):
        load_public_key(tmp_path / "key.pub")


def test_settings_give_the_signer(tmp_path: Path) -> None:
    made = generate_key(tmp_path / "key")
    signer = load_settings({"signing_key": tmp_path / "key"}).signer()
    assert signer is not None
    assert signer.public_key == made
    assert load_settings({"signing_key": None}).signer() is None


@pytest.mark.parametrize(("setting", "wrong"), [("inception_weights", "file"), ("clip_weights", "folder")])
def test_weights_that_are_not_there_are_refused_at_start(tmp_path: Path, setting: str, wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"LETHE_{setting.upper()}: {tmp_path}/absent: no such {wrong}"):
        load_settings({setting: tmp_path / "absent"})
    there = tmp_path / "there"
    there.mkdir() if wrong == "folder" else there.write_bytes(b"x")
    assert getattr(load_settings({setting: there}), setting) == there


def test_a_release_names_the_record_that_it_replaces(case: Case) -> None:
    release = Release("ada (key_1)", "the judge errs on this concept", "2026-01-01T00:00:00+00:00")
    text = released(case.text, release, case.signer, case.keys)
    old, new = read_statement(case.text)["predicate"], verify(text, case.keys).predicate
    assert new == old | {
        "release": {
            "by": "ada (key_1)",
            "reason": "the judge errs on this concept",
            "at": "2026-01-01T00:00:00+00:00",
            "previous_record_sha256": hashlib.sha256(case.text.encode()).hexdigest(),
        }
    }


def test_a_release_keeps_an_unsigned_record_unsigned(case: Case) -> None:
    release = Release("ada", "the judge errs on this concept", "2026-01-01T00:00:00+00:00")
    unsigned = sign(read_statement(case.text), None)
    assert json.loads(released(unsigned, release, case.signer, case.keys))["signatures"] == []


def test_a_release_gives_no_signature_to_what_was_changed_where_it_was_kept(case: Case) -> None:
    release = Release("ada", "the judge errs on this concept", "2026-01-01T00:00:00+00:00")
    envelope = json.loads(case.text)
    statement = read_statement(case.text)
    statement["predicate"]["verdict"] = "pass" if statement["predicate"]["verdict"] != "pass" else "fail"
    envelope["payload"] = json.loads(sign(statement, None))["payload"]
    tampered = json.dumps(envelope, sort_keys=True, separators=(",", ":")) + "\n"
    with pytest.raises(RecordMismatch, match="payload and signature do not belong together"):
        released(tampered, release, case.signer, case.keys)
    with pytest.raises(RecordMismatch, match="signatures"):
        released(case.text, release, case.signer, [])
    with pytest.raises(ValueError, match="not replaced by one without a signature"):
        released(case.text, release, None, case.keys)


def test_retired_keys_are_trusted_and_checked_at_start(tmp_path: Path) -> None:
    old, new = generate_key(tmp_path / "old"), generate_key(tmp_path / "new")
    settings = load_settings({"signing_key": tmp_path / "new", "retired_keys": f"{tmp_path / 'old.pub'}"})
    assert [key.keyid for key in settings.trusted_keys()] == [new.keyid, old.keyid]
    assert load_settings({}).trusted_keys() == ()
    # Another process is given the same keys.
    for given in (settings, load_settings({})):
        variables = {name: value for name, value in given.environment().items() if name.endswith("_KEYS")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LETHE_RETIRED_KEYS", variables["LETHE_RETIRED_KEYS"])
            assert load_settings().retired_keys == given.retired_keys
    with pytest.raises(SettingsError, match=r"LETHE_RETIRED_KEYS: .*absent\.pub: cannot be read"):
        load_settings({"retired_keys": f"{tmp_path / 'old.pub'}:{tmp_path / 'absent.pub'}"})


def test_what_is_no_json_is_not_signed(case: Case) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        sign({"predicate": float("nan")}, case.signer)


def _block(language: str, holding: str) -> str:
    """The block of the document that has ``holding`` in it."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return next(block for block in blocks if holding in block)


@pytest.fixture
def outsider(case: Case, monkeypatch: pytest.MonkeyPatch) -> Case:
    """The folder as it reaches somebody without Lethe: an archive, and a public key beside it."""
    (case.folder.parent / "lethe.pub").write_bytes(public_pem(case.signer))
    monkeypatch.chdir(case.folder)
    return case


def _openssl(case: Case, scratch: Path) -> subprocess.CompletedProcess[str]:
    script = "set -e\n" + _block("sh", "openssl").replace("/tmp/", f"{scratch}/")
    return subprocess.run(["bash", "-c", script], cwd=case.folder, capture_output=True, text=True)


def test_openssl_verifies_it_as_the_document_says(outsider: Case, tmp_path: Path) -> None:
    done = _openssl(outsider, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert '"verdict"' in done.stdout


def test_openssl_refuses_what_was_changed(outsider: Case, tmp_path: Path) -> None:
    path = outsider.folder / "unet" / "config.json"
    path.write_text(path.read_text() + " ")
    done = _openssl(outsider, tmp_path)
    assert "unet/config.json: FAILED" in done.stdout
    assert done.returncode != 0
    payload = base64.b64decode(json.loads(outsider.text)["payload"])
    outsider.with_payload(payload.replace(b'"seed":7', b'"seed":8'))
    done = _openssl(outsider, tmp_path)
    assert "Signature Verification Failure" in done.stdout + done.stderr


def test_securesystemslib_verifies_it_as_the_document_says(outsider: Case) -> None:
    names: dict[str, object] = {}
    exec(_block("python", "securesystemslib"), names)
    assert names["statement"] == read_statement(outsider.text)


def test_the_public_key_lies_beside_the_private_one(tmp_path: Path) -> None:
    assert public_path_of(tmp_path / "a.pem") == tmp_path / "a.pem.pub"
