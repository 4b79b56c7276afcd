"""Settings: safe defaults, one name a variable, and refusals that say what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.hub_models import families_of, hub_model
from jobs.settings import BUNDLED_MODELS, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("LETHE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults(tmp_path: Path) -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.auth) == ("127.0.0.1", 8321, "none")
    assert (settings.lease_seconds, settings.renew_seconds, settings.max_failures) == (60, 15, 3)
    assert settings.data_dir == tmp_path / ".lethe"
    assert settings.work_dir == tmp_path / ".lethe/work"
    assert settings.artifacts_url == f"file://{tmp_path}/.lethe/artifacts"
    assert (settings.database_url, settings.broker_url) == (None, None)
    assert settings.models_dir == tmp_path / ".lethe/models"
    assert settings.bundled_models_dir == BUNDLED_MODELS


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "LETHE_DATA_DIR": "data",
        "LETHE_DATABASE_URL": "postgres://lethe:secret@db:5432/lethe?sslmode=require",
        "LETHE_BROKER_URL": "redis+socket:///run/vk.sock?virtual_host=0",
        "LETHE_PORT": "9000",
        "LETHE_TORCH_THREADS": "",
        "LETHE_SOMETHING_ELSE": "x",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.data_dir == tmp_path / "data"
    assert settings.work_dir == tmp_path / "data/work"
    assert settings.require_database() == "postgresql+psycopg://lethe:secret@db:5432/lethe?sslmode=require"
    assert settings.require_broker() == values["LETHE_BROKER_URL"]
    assert (settings.port, settings.torch_threads) == (9000, None)
    assert "secret" not in repr(settings)


def test_places_of_their_own(tmp_path: Path) -> None:
    settings = load_settings({"work_dir": "/scratch", "artifacts_url": "memory://bucket/lethe", "models_dir": "mine"})
    assert settings.work_dir == Path("/scratch")
    assert settings.artifacts_url == "memory://bucket/lethe"
    assert settings.models_dir == tmp_path / "mine"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "8.8.8.8", "lethe.example", ""])
def test_an_open_address_without_keys_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="LETHE_AUTH=keys"):
        load_settings({"host": host})
    assert load_settings({"host": host, "auth": "keys"}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert load_settings({"host": host}).auth == "none"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"renew_seconds": 31}, "LETHE_RENEW_SECONDS=31 must be at most half of LETHE_LEASE_SECONDS=60"),
        ({"lease_seconds": 0}, "LETHE_LEASE_SECONDS: .*greater than 0"),
        ({"keep_withheld_days": "inf"}, "LETHE_KEEP_WITHHELD_DAYS: .*finite number"),
        ({"keep_withheld_days": "nan"}, "LETHE_KEEP_WITHHELD_DAYS: .*finite number"),
        ({"keep_unsuccessful_days": 1e9}, "LETHE_KEEP_UNSUCCESSFUL_DAYS: .*less than or equal to 36500"),
        ({"keep_progress_days": 36501}, "LETHE_KEEP_PROGRESS_DAYS: .*less than or equal to 36500"),
        ({"keep_idempotency_keys_days": 0}, "LETHE_KEEP_IDEMPOTENCY_KEYS_DAYS: .*greater than 0"),
        ({"keep_idempotency_keys_days": 40_000}, "LETHE_KEEP_IDEMPOTENCY_KEYS_DAYS: .*less than or equal to 36500"),
        ({"port": 70000}, "LETHE_PORT: .*65535"),
        ({"auth": "basic"}, "LETHE_AUTH: .*'none' or 'keys'"),
        ({"database_url": "mysql://x"}, "LETHE_DATABASE_URL: must be a postgresql"),
        ({"database_url": "lethe"}, "LETHE_DATABASE_URL: must be a postgresql"),
        ({"broker_url": "amqp://x"}, "LETHE_BROKER_URL: must be a redis"),
        ({"artifacts_url": "/folder"}, "LETHE_ARTIFACTS_URL: must be a URL"),
        ({"max_failures": 0}, "LETHE_MAX_FAILURES: .*greater than or equal to 1"),
        ({"torch_threads": 0}, "LETHE_TORCH_THREADS"),
        ({"trusted_proxies": "10.0.0.1, nginx"}, "LETHE_TRUSTED_PROXIES: 'nginx' is no address and no network"),
        ({"gpus": 0}, "LETHE_GPUS: .*greater than or equal to 1"),
        ({"gpus": 2, "device": "cuda:1"}, "LETHE_DEVICE=cuda:1 is one GPU, and LETHE_GPUS=2 asks for several"),
        ({"shard": "1"}, "LETHE_SHARD=1 divides .* LETHE_GPUS is 1: set LETHE_GPUS to how many there are, or leave"),
        ({"shard": "half", "gpus": 2}, "LETHE_SHARD: .*boolean"),
        ({"gpus": 2, "workers": "cuda:0,cuda:1"}, "LETHE_WORKERS=cuda:0 is one GPU, and LETHE_GPUS=2 asks for several"),
        ({"workers": "0"}, "LETHE_WORKERS: must be 1 to 64"),
        ({"workers": "1000000000"}, "LETHE_WORKERS: must be 1 to 64"),
        ({"workers": ","}, "LETHE_WORKERS: must be 1 to 64"),
        ({"workers": "0,1"}, "LETHE_WORKERS: '0' is no device: say how many workers, or such as cuda:0,cuda:1"),
        ({"workers": "-1"}, "LETHE_WORKERS: '-1' is no device"),
        ({"memory_bytes": 0}, "LETHE_MEMORY_BYTES: .*greater than or equal to 1"),
        ({"memory_bytes": "24 GB"}, "LETHE_MEMORY_BYTES: .*valid integer"),
        ({"log_format": "xml"}, "LETHE_LOG_FORMAT"),
        (
            {"webhook_allow": "hooks.internal, 10.0.0.0/33"},
            "LETHE_WEBHOOK_ALLOW: '10.0.0.0/33' is no host name, address",
        ),
        ({"webhook_allow": "https://hooks.internal"}, "LETHE_WEBHOOK_ALLOW: 'https://hooks.internal' is no host name"),
        ({"webhook_allow": "a" * 64}, "LETHE_WEBHOOK_ALLOW: 'a{64}' is no host name"),
        ({"webhook_allow": "10.1"}, "LETHE_WEBHOOK_ALLOW: '10.1' is no host name"),
        ({"webhook_log_days": 0}, "LETHE_WEBHOOK_LOG_DAYS: .*greater than or equal to 1"),
        ({"public_url": "lethe.example"}, "LETHE_PUBLIC_URL: must be a URL such as https://lethe.example"),
        ({"public_url": "https://lethe.example/?a"}, "LETHE_PUBLIC_URL: must be a URL"),
        ({"smtp_url": "smtp://mail"}, "LETHE_SMTP_URL and LETHE_SMTP_FROM go together"),
        ({"smtp_url": "http://mail", "smtp_from": "a@b.example"}, "LETHE_SMTP_URL: cannot be read: smtps://USER"),
        ({"smtp_url": "smtp://a:b@c@mail", "smtp_from": "a@b.example"}, "LETHE_SMTP_URL: cannot be read"),
        ({"smtp_url": "smtp://mail", "smtp_from": "Lethe <a@b>"}, "LETHE_SMTP_FROM: 'Lethe <a@b>' is no mail address"),
    ],
)
def test_refusals(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(values)
    with pytest.raises(ValidationError):
        Settings(**values)


def test_every_wrong_value_is_named_and_no_secret_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"port": -1, "database_url": "mysql://lethe:secret@db"})
    assert len(str(caught.value).splitlines()) == 2
    assert "secret" not in str(caught.value)


def test_renewing_at_half_the_lease_is_allowed() -> None:
    assert load_settings({"lease_seconds": 1, "renew_seconds": 0.5}).renew_seconds == 0.5


@pytest.mark.parametrize(("gpus", "device"), [(4, "auto"), (4, "cuda"), (2, "cpu"), (1, "cuda:1")])
def test_devices_of_a_job(gpus: int, device: str) -> None:
    assert load_settings({"gpus": gpus, "device": device}).gpus == gpus
    assert Settings().gpus == 1


def test_what_a_job_trains_is_sharded_where_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings({"gpus": 2}).shard is False
    monkeypatch.setenv("LETHE_GPUS", "2")
    monkeypatch.setenv("LETHE_SHARD", "1")
    assert load_settings({}).shard is True


@pytest.mark.parametrize(
    ("given", "devices"),
    [
        ({}, ("auto",)),
        ({"LETHE_DEVICE": "cpu"}, ("cpu",)),
        ({"LETHE_WORKERS": "2"}, ("auto", "auto")),
        ({"LETHE_WORKERS": "2", "LETHE_DEVICE": "cpu"}, ("cpu", "cpu")),
        ({"LETHE_WORKERS": "cuda:0, cuda:1"}, ("cuda:0", "cuda:1")),
        ({"LETHE_WORKERS": "cuda:1"}, ("cuda:1",)),
    ],
)
def test_the_workers_of_a_machine(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], devices: tuple[str, ...]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.workers == devices
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings, "as another process is given them"


def test_what_is_needed_and_not_set() -> None:
    settings = Settings()
    with pytest.raises(SettingsError, match="LETHE_DATABASE_URL is not set"):
        settings.require_database()
    with pytest.raises(SettingsError, match="LETHE_BROKER_URL is not set"):
        settings.require_broker()


def test_models_are_those_of_both_folders(tmp_path: Path) -> None:
    for name in ("bundled", "mine"):
        (tmp_path / name).mkdir()
    settings = load_settings({"bundled_models_dir": "bundled", "models_dir": "mine"})
    assert settings.models() == {}
    with pytest.raises(ValueError, match=r"LETHE_MODELS_DIR=.*absent: not a folder: make it, or leave"):
        load_settings({"bundled_models_dir": "bundled", "models_dir": "absent"}).models()


def test_models_of_a_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Settings().hub_models == ()
    monkeypatch.setenv("LETHE_HUB_MODELS", "sd-legacy/stable-diffusion-v1-5, acme/noise,")
    settings = load_settings()
    assert settings.hub_models == ("sd-legacy/stable-diffusion-v1-5", "acme/noise")
    assert settings.hub_dir == tmp_path / ".lethe/hub"
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings, "as another process is given them"


def test_what_is_told_and_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LETHE_WEBHOOK_ALLOW", "Hooks.Internal, 10.0.0.0/8,::1")
    monkeypatch.setenv("LETHE_SMTP_URL", "smtps://lethe:secret@mail.example:465")
    monkeypatch.setenv("LETHE_SMTP_FROM", "lethe@studio.example")
    monkeypatch.setenv("LETHE_PUBLIC_URL", "https://lethe.example/")
    settings = load_settings()
    assert settings.webhook_allow == ("hooks.internal", "10.0.0.0/8", "::1")
    assert settings.webhook_key == tmp_path / ".lethe/webhook.key"
    assert settings.public_url == "https://lethe.example"
    assert "secret" not in repr(settings)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings, "as another process is given them"


def test_models_of_a_hub_with_their_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_HUB_MODELS", "acme/noise, acme/large=sdxl")
    allowed = load_settings().hub_models
    assert families_of(allowed) == {"acme/noise": "stable_diffusion", "acme/large": "sdxl"}
    for name, (family, side) in {"acme/noise": ("stable_diffusion", 512), "acme/large": ("sdxl", 1024)}.items():
        model = hub_model(f"hub:{name}@{'0' * 40}", allowed)
        assert (model.family, model.image.height) == (family, side)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("acme/noise=sdlx", "unknown family 'sdlx' \\(did you mean 'sdxl'\\?\\); known: flow, stable_diffusion, sdxl"),
        ("acme/noise=class_unet", "unknown family 'class_unet'"),
        ("acme/noise=", "unknown family ''"),
        ("acme/noise,acme/noise=sdxl", "'acme/noise' is named twice"),
    ],
)
def test_no_family_of_a_hub(entries: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"LETHE_HUB_MODELS: .*{said}"):
        load_settings({"hub_models": entries})


@pytest.mark.parametrize("name", ["noise", "acme/noise/more", "../noise", "https://hub/acme/noise", "acme/noise@main"])
def test_no_model_of_a_hub(name: str) -> None:
    with pytest.raises(SettingsError, match=r"LETHE_HUB_MODELS: .* is no org/name of a hub"):
        load_settings({"hub_models": name})
