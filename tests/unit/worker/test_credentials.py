"""Content credentials, as C2PA's own reader finds them."""

from __future__ import annotations

import io
import json
import sys

import c2pa
import numpy as np
import pytest
from PIL import Image
from securesystemslib.signer import CryptoSigner

from jobs.record.certificates import authority_pem, chain_pem
from jobs.settings import Settings, SettingsError, load_settings
from sfd_core.display.marking import GENERATOR, SOURCE_TYPE, marked
from sfd_core.display.pictures import png
from worker.credentials import ORIGIN, Credentials

WHICH = {GENERATOR: "gen_0197"}


def looked_at(file: bytes, trusted: bytes) -> tuple[str, list[str], dict[str, object]]:
    """What a reader says of a file that trusts a certificate: the state, what is wrong, the assertions."""
    settings = {"verify": {"verify_trust": True}, "trust": {"trust_anchors": trusted.decode()}}
    with c2pa.Reader("image/png", io.BytesIO(file), context=c2pa.Context.from_dict(settings)) as reader:
        found = json.loads(reader.json())
        wrong = [each["code"] for each in found.get("validation_status", [])]
        manifest = found["manifests"][found["active_manifest"]]
        said = {each["label"]: each["data"] for each in manifest["assertions"]}
        return reader.get_validation_state(), wrong, said


@pytest.fixture(scope="module")
def signer() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


@pytest.fixture(scope="module", params=[(28, 28), (16, 24, 3)])
def image(request: pytest.FixtureRequest) -> bytes:
    made = np.random.default_rng(1).integers(0, 256, request.param, dtype=np.uint8)
    return marked(png(made), WHICH)


def test_a_reader_that_trusts_the_key_trusts_the_image(signer: CryptoSigner, image: bytes) -> None:
    file = Credentials(signer).signed(image, WHICH)
    state, wrong, said = looked_at(file, authority_pem(signer))
    assert (state, wrong) == ("Trusted", [])
    assert said[ORIGIN] == WHICH
    (action,) = said["c2pa.actions.v2"]["actions"]  # type: ignore[index]
    assert (action["action"], action["digitalSourceType"]) == ("c2pa.created", SOURCE_TYPE)
    with Image.open(io.BytesIO(file)) as signed, Image.open(io.BytesIO(image)) as plain:
        assert (signed.tobytes(), signed.info) == (plain.tobytes(), plain.info)


def test_what_is_found_wrong(signer: CryptoSigner, image: bytes) -> None:
    file, other = Credentials(signer).signed(image, WHICH), CryptoSigner.generate_ed25519()
    assert looked_at(file, authority_pem(other))[:2] == ("Valid", ["signingCredential.untrusted"])
    at = file.index(b"IDAT") + 12
    changed = file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :]
    assert looked_at(changed, authority_pem(signer))[:2] == ("Invalid", ["assertion.dataHash.mismatch"])
    with pytest.raises(c2pa.C2paError, match="ManifestNotFound"):
        looked_at(image, authority_pem(signer))


def test_certificates_are_the_keys_alone(signer: CryptoSigner) -> None:
    assert chain_pem(signer) == chain_pem(signer)
    assert chain_pem(signer).endswith(authority_pem(signer))
    assert authority_pem(signer) != authority_pem(CryptoSigner.generate_ed25519())


def test_what_is_refused(signer: CryptoSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().content_credentials is False
    with pytest.raises(
        SettingsError, match="LETHE_CONTENT_CREDENTIALS=1 signs images with LETHE_SIGNING_KEY, and there is none"
    ):
        load_settings({"content_credentials": True})
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(SettingsError, match="needs c2pa-python: pip install 'lethe\\[c2pa\\]'"):
        Credentials(signer)
