"""``lethe record``: keygen, verify and rerun, as they are typed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from jobs.record import RECORD, generate_key, read_statement, released, sign
from jobs.record.signing import public_pem
from jobs.record.statement import Release, subjects
from jobs.record.tombstone import TOMBSTONE_TYPE
from sfd_core.base_model.manifest import BaseModel
from tests.record.case import Case, flipped
from tests.record.test_tombstone import tombstone_of

Lethe = Callable[..., Result]


@pytest.fixture
def lethe(tiny_model: BaseModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lethe:
    """The command, with the tiny model registered."""
    monkeypatch.chdir(tmp_path)
    environment = {"LETHE_MODELS_DIR": str(tiny_model.folder.parent), "COLUMNS": "200"}

    def command(*arguments: str | Path, **more: str) -> Result:
        result = CliRunner().invoke(app, [str(each) for each in arguments], env=environment | more)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return command


@pytest.fixture
def key(case: Case, tmp_path: Path) -> Path:
    """The public key of the case's record."""
    path = tmp_path / "lethe.pub"
    path.write_bytes(public_pem(case.signer))
    return path


def test_certificate_of_a_key(lethe: Lethe, tmp_path: Path) -> None:
    lethe("record", "keygen", "key")
    printed = lethe("record", "certificate", "key").stdout
    command = ["openssl", "x509", "-noout", "-subject", "-pubkey"]
    said = subprocess.run(command, input=printed, capture_output=True, text=True, check=True).stdout
    assert "Lethe records" in said
    assert said.endswith((tmp_path / "key.pub").read_text())
    refused = lethe("record", "certificate", "key.pub")
    assert refused.exit_code == 2
    assert "not an Ed25519 private key" in " ".join(refused.stderr.replace("│", " ").split())


def test_keygen_prints_the_key_id_and_refuses_to_overwrite(lethe: Lethe, tmp_path: Path) -> None:
    made = lethe("record", "keygen", "key")
    assert made.exit_code == 0
    assert len(made.stdout.strip()) == 64
    assert "LETHE_SIGNING_KEY=key" in made.stderr
    again = lethe("record", "keygen", "key")
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr


def test_verify_says_what_was_checked(lethe: Lethe, case: Case, key: Path) -> None:
    done = lethe("record", "verify", case.folder / RECORD, "--generator", case.folder, "--key", key)
    assert done.exit_code == 0, done.stderr
    assert f"signature: valid, by key {case.signer.public_key.keyid}" in done.stdout
    files = len(subjects(read_statement(case.text)))
    assert f"files: all {files} are what the record states" in done.stdout
    assert "forgotten: red -> green" in done.stdout
    assert "asked for by acme" in done.stdout
    alone = lethe("record", "verify", case.folder / RECORD, "--key", key)
    assert alone.exit_code == 0
    assert "files: not compared" in alone.stdout


def test_verify_names_the_mismatch(lethe: Lethe, case: Case, key: Path) -> None:
    path = case.folder / "evaluation" / "pairs.png"
    path.write_bytes(flipped(path.read_bytes(), 100))
    done = lethe("record", "verify", case.folder / RECORD, "--generator", case.folder, "--key", key)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("MISMATCH: evaluation/pairs.png: sha256 is ")


def test_verify_wants_a_key_or_a_word(lethe: Lethe, case: Case) -> None:
    refused = lethe("record", "verify", case.folder / RECORD)
    assert refused.exit_code == 2
    assert "--unsigned" in refused.stderr
    signed = lethe("record", "verify", case.folder / RECORD, "--unsigned")
    assert signed.exit_code == 1
    assert "not a key that is trusted" in signed.stderr


def test_verify_of_an_unsigned_record(lethe: Lethe, case: Case, key: Path) -> None:
    case.with_text(sign(read_statement(case.text), None))
    arguments = ("record", "verify", case.folder / RECORD, "--generator", case.folder)
    refused = lethe(*arguments, "--key", key)
    assert refused.exit_code == 1
    assert "this record is unsigned" in refused.stderr
    taken = lethe(*arguments, "--unsigned")
    assert taken.exit_code == 0
    assert taken.stdout.startswith("UNSIGNED: the record is unsigned")


def test_verify_takes_retired_keys(lethe: Lethe, case: Case, key: Path, tmp_path: Path) -> None:
    generate_key(tmp_path / "new")
    done = lethe("record", "verify", case.folder / RECORD, "--key", "new.pub", "--key", key)
    assert done.exit_code == 0
    wrong = lethe("record", "verify", case.folder / RECORD, "--key", "new.pub")
    assert wrong.exit_code == 1
    private = lethe("record", "verify", case.folder / RECORD, "--key", "new")
    assert private.exit_code == 2
    assert "not an Ed25519 public key" in private.stderr


def test_verify_shows_a_release(lethe: Lethe, case: Case, key: Path) -> None:
    case.with_text(
        released(case.text, Release("ada", "for the appeal", "2026-01-01T00:00:00+00:00"), case.signer, case.keys)
    )
    done = lethe("record", "verify", case.folder / RECORD, "--generator", case.folder, "--key", key)
    assert "released by ada at 2026-01-01T00:00:00+00:00: for the appeal" in done.stdout


def test_verify_of_what_is_not_there(lethe: Lethe, key: Path) -> None:
    done = lethe("record", "verify", "absent.json", "--key", key)
    assert done.exit_code == 2
    assert "absent.json" in done.stderr


def test_verify_of_a_record_that_tells_nothing(lethe: Lethe, case: Case) -> None:
    case.with_text(sign({**read_statement(case.text), "predicate": {}, "subject": []}, None))
    done = lethe("record", "verify", case.folder / RECORD, "--unsigned")
    assert done.exit_code == 1
    assert "does not tell of a run" in done.stderr


def test_verify_of_a_tombstone(lethe: Lethe, case: Case, key: Path, tmp_path: Path) -> None:
    tombstone = tmp_path / "tombstone.json"
    tombstone.write_text(tombstone_of(case))
    done = lethe("record", "verify", tombstone, "--generator", case.folder, "--key", key)
    assert done.exit_code == 0
    for said in ("signature: valid", "files: all", "deleted: gen_1, at 2026", "by ci (key_1): the contract", "job_2"):
        assert said in done.stdout
    tombstone.write_text(sign({**read_statement(tombstone_of(case), TOMBSTONE_TYPE), "predicate": {}}, None))
    nothing = lethe("record", "verify", tombstone, "--unsigned")
    assert nothing.exit_code == 1
    assert "does not tell of a deletion" in nothing.stderr


def test_unlearn_leaves_a_record_that_verifies_and_can_be_run_again(lethe: Lethe) -> None:
    keyid = lethe("record", "keygen", "key").stdout.strip()
    arguments = ("--base", "tiny", "--forget", "red=random", "--images", "32", "--out", "out", "--recipe", "batch=8")
    made = lethe("unlearn", *arguments, "--recipe", "forgotten_share=0.25", LETHE_SIGNING_KEY="key")
    assert made.exit_code in (0, 1), made.stderr
    assert f"signed by {keyid}" in made.stdout
    record = Path("out/generator/unlearning-record.json")
    done = lethe("record", "verify", record, "--generator", "out/generator", "--key", "key.pub")
    assert done.exit_code == 0, done.stderr
    assert "forgotten: red -> a random remaining concept" in done.stdout

    again = lethe("record", "rerun", record, "--key", "key.pub", "--out", "again")
    assert again.exit_code == 0, again.stderr
    assert "bit-equal: the generator's 5 files are those of the record" in again.stdout
    kept = lethe("record", "verify", "again/generator/unlearning-record.json", "--unsigned")
    assert kept.exit_code == 0
    overwriting = lethe("record", "rerun", record, "--out", "out")
    assert overwriting.exit_code == 2
    assert "would be replaced" in overwriting.stderr


def test_unlearn_without_a_key_says_that_the_record_is_unsigned(lethe: Lethe) -> None:
    arguments = ("--base", "tiny", "--forget", "red=green", "--images", "8", "--out", "out", "--recipe", "batch=8")
    made = lethe("unlearn", *arguments, "--recipe", "forgotten_share=0.25")
    assert "(unsigned: LETHE_SIGNING_KEY is not set)" in made.stdout
    assert json.loads(Path("out/generator", RECORD).read_text())["signatures"] == []


def test_rerun_of_a_false_claim(lethe: Lethe, case: Case, key: Path) -> None:
    statement = read_statement(case.text)
    statement["predicate"]["request"]["seed"] = 8
    case.with_text(sign(statement, case.signer))
    done = lethe("record", "rerun", case.folder / RECORD, "--key", key)
    assert done.exit_code == 1
    assert "differs: of the generator's 5 files, unet/diffusion_pytorch_model.safetensors" in done.stdout


def test_rerun_checks_the_signature_when_it_has_a_key(lethe: Lethe, case: Case, key: Path) -> None:
    case.with_text(sign(read_statement(case.text), None))
    done = lethe("record", "rerun", case.folder / RECORD, "--key", key)
    assert done.exit_code == 1
    assert "this record is unsigned" in done.stderr


def test_rerun_on_a_base_model_that_is_not_here(lethe: Lethe, case: Case) -> None:
    statement = read_statement(case.text)
    statement["predicate"]["base_model"]["name"] = "nobody's"
    case.with_text(sign(statement, None))
    done = lethe("record", "rerun", case.folder / RECORD)
    assert done.exit_code == 2
    assert "nobody's" in done.stderr
    del statement["predicate"]["base_model"]
    case.with_text(sign(statement, None))
    assert "names no base model" in lethe("record", "rerun", case.folder / RECORD).stderr


def test_unlearn_evaluates_with_the_weights_that_are_given(lethe: Lethe, tmp_path: Path) -> None:
    """Seen by what happens when there is no CLIP in the folder: it is refused before anything is trained."""
    (tmp_path / "clip").mkdir()
    arguments = ("--base", "tiny", "--forget", "red=green", "--images", "8", "--out", "out")
    refused = lethe("unlearn", *arguments, LETHE_CLIP_WEIGHTS=str(tmp_path / "clip"))
    assert refused.exit_code == 2
    assert str(tmp_path / "clip") in refused.stderr
    assert not (tmp_path / "out" / "generator").exists()
