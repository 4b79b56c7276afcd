"""Every setting of every process, once: from ``LETHE_*`` variables, checked at start, unsafe values refused."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from securesystemslib.signer import CryptoSigner, SSlibKey

from jobs.addresses import check_hosts, check_mail_address, check_public_url, check_smtp_url
from jobs.base_models import BaseModels
from jobs.hub_models import families_of
from jobs.record import load_public_key, load_signer
from jobs.urls import check_artifacts_url, check_broker_url, check_database_url
from sfd_core.errors import ModelRefused

OWN_MODELS = "models"
"""Where in the data folder models are that were added."""
BUNDLED_MODELS = Path(__file__).resolve().parents[1] / "models"


MAX_WORKERS = 64
"""Of one machine."""
MAX_DAYS = 36_500
"""That anything is kept: a hundred years, which is a date that Postgres has."""


class SettingsError(ValueError):
    """A setting that is missing or refused; the message names the variable and says what would be right."""


class Settings(BaseSettings):
    """The settings. Times are in seconds; paths are absolute.

    Raises:
        pydantic.ValidationError: for a wrong or unsafe value; :func:`load_settings` gives the same as a
            :class:`SettingsError` that is fit to print.
    """

    model_config = SettingsConfigDict(env_prefix="LETHE_", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: str | None = Field(default=None, repr=False)
    """``postgresql+psycopg://user@/db?host=/socket/folder``, or with host and port. Not shown: may hold a password."""
    broker_url: str | None = Field(default=None, repr=False)
    """``redis://host:6379/0``, ``rediss://host:6379/0?ssl_ca_certs=/ca.pem`` (TLS, always verified) or
    ``redis+socket:///path?virtual_host=0``."""
    data_dir: Path = Path(".lethe")
    """What the embedded servers, the workers and the default artefact store keep on this machine."""
    work_dir: Path = Field(default_factory=lambda data: data["data_dir"] / "work")
    """Checkpoints of attempts that run: on the worker's own disk, lost at no more cost than the work since."""
    artifacts_url: str = Field(default_factory=lambda data: f"file://{data['data_dir'] / 'artifacts'}", repr=False)
    """Any fsspec URL: ``file:///folder``, ``s3://bucket/prefix``."""
    models_dir: Path | None = Field(default_factory=lambda data: data["data_dir"] / OWN_MODELS)
    """A folder of your own base models, registered beside the bundled ones; `lethe models add` puts them there."""
    bundled_models_dir: Path = BUNDLED_MODELS

    hub_models: Annotated[tuple[str, ...], NoDecode] = ()
    """Models of a hub that jobs may start from, as ``org/name`` or ``org/name=family`` with commas between them. None,
    unless it is set."""
    hub_dir: Path = Field(default_factory=lambda data: data["data_dir"] / "hub")
    """Where workers keep what they fetched of a hub."""

    host: str = "127.0.0.1"
    port: int = Field(default=8321, ge=0, le=65535)
    auth: Literal["none", "keys"] = "none"
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses or networks of proxies, with commas between them, that say who asks (``X-Forwarded-For``) and whether
    by https (``X-Forwarded-Proto``). What others say of it is not believed."""

    device: str = "auto"
    memory_bytes: int | None = Field(default=None, ge=1)
    """What a job may take of the device, in place of what the worker finds."""
    workers: Annotated[tuple[str, ...], NoDecode] = Field(default_factory=lambda data: (data["device"],))
    """The devices of the training workers that `lethe up` starts, as ``device`` names them, with commas between them;
    or how many there are on ``device``. A worker has its part of the memory of a device that so many share."""
    gpus: int = Field(default=1, ge=1, le=64)
    """Of this machine, for one job: as many processes train it together. On a CPU they are that many processes."""
    shard: bool = False
    """Whether each of those processes holds only its shards of what a job trains, for networks that do not fit on one
    GPU."""
    torch_threads: int | None = Field(default=None, ge=1)
    """Of each process that trains."""
    cost_per_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of one worker, in whichever currency: estimates then say what a job would cost."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "console"
    log_prompts: bool = False
    """Write the prompts of samples into the log as they are; else it has only their SHA-256."""

    lease_seconds: float = Field(default=60, gt=0)
    """A worker that is not heard of for so long has lost its job."""
    renew_seconds: float = Field(default=15, gt=0)
    checkpoint_seconds: float = Field(default=10, ge=0)
    """Between two checkpoints: the most that a crash can cost."""
    stall_seconds: float = Field(default=300, gt=0)
    """A run whose progress does not move for so long is stopped: a hung job must not look alive."""
    max_failures: int = Field(default=3, ge=1)
    alive_file: Path | None = None
    """A worker touches it after every sweep that reached database and broker: for a container's health check."""
    sample_timeout_seconds: float = Field(default=60, gt=0)

    keep_progress_days: float = Field(default=30, gt=0, le=MAX_DAYS, allow_inf_nan=False)
    """How long the progress of a job that is over can be read among its events."""
    keep_idempotency_keys_days: float = Field(default=7, gt=0, le=MAX_DAYS, allow_inf_nan=False)
    """How long an Idempotency-Key is known: nobody sends a request again after a week."""
    keep_withheld_days: float | None = Field(default=None, gt=0, le=MAX_DAYS, allow_inf_nan=False)
    """How long a generator that is withheld is kept; without it until somebody deletes it."""
    keep_unsuccessful_days: float | None = Field(default=None, gt=0, le=MAX_DAYS, allow_inf_nan=False)
    """How long a job that failed or was cancelled is kept; without it until somebody deletes it."""

    signing_key: Path | None = None
    """An Ed25519 private key in PEM (``lethe record keygen``) that signs records; without it they are unsigned."""
    retired_keys: Annotated[tuple[Path, ...], NoDecode] = ()
    """Public keys (PEM) that signed records before ``signing_key`` did, as paths with ``:`` between them: what they
    signed can still be released."""
    mark_images: bool = True
    """Write into every image that is drawn, and into a report's pictures, that a model has made it, and which."""
    content_credentials: bool = False
    """Write content credentials into every image that is drawn, signed with ``signing_key``. Such files are other ones
    each time; their pixels are not."""
    webhook_key: Path = Field(default_factory=lambda data: data["data_dir"] / "webhook.key")
    """The key that secrets and URLs of webhooks are sealed with: the same file for every api. It is made where there is
    none yet."""
    webhook_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Host names, addresses and networks, with commas between them, that webhooks may be sent to although they are not
    of the public internet."""
    webhook_log_days: int = Field(default=30, ge=1, le=3650)
    """How long it is known what became of a delivery."""
    public_url: str | None = None
    """Where people and programs elsewhere reach this service, such as ``https://lethe.example``: links in what is told
    begin with it."""
    smtp_url: str | None = Field(default=None, repr=False)
    """A mail server for webhooks of the kind ``email``: ``smtps://user:password@host:465``, or
    ``smtp://user:password@host:587``, where TLS begins once it is connected. Not shown: may hold a password."""
    smtp_from: str | None = None
    """The address that mail comes from."""

    inception_weights: Path | None = None
    """The weights of torch-fidelity's Inception-v3: with them reports have a FID."""
    clip_weights: Path | None = None
    """A folder with a CLIP model as transformers saves it: with it reports have a CLIP score."""

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str | None) -> str | None:
        """The one driver that is installed, also when the URL is a plain ``postgres://`` as providers hand them out."""
        if value is None:
            return None
        scheme, separator, rest = value.partition("://")
        if not separator or scheme not in ("postgresql+psycopg", "postgresql", "postgres"):
            raise ValueError("must be a postgresql+psycopg:// URL")
        return check_database_url(f"postgresql+psycopg://{rest}")

    @field_validator("broker_url")
    @classmethod
    def _broker_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "redis+socket://")):
            raise ValueError("must be a redis://, rediss:// or redis+socket:// URL")
        return None if value is None else check_broker_url(value)

    @field_validator(
        "data_dir",
        "work_dir",
        "models_dir",
        "bundled_models_dir",
        "hub_dir",
        "alive_file",
        "signing_key",
        "webhook_key",
        "inception_weights",
        "clip_weights",
    )
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value if value is None else Path(os.path.abspath(value.expanduser()))

    @field_validator("signing_key")
    @classmethod
    def _signing_key(cls, value: Path | None) -> Path | None:
        """A key that cannot sign must be seen now, not when the first job is published."""
        if value is not None:
            load_signer(value)
        return value

    @field_validator("retired_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(path for path in value.split(os.pathsep) if path) if isinstance(value, str) else value

    @field_validator("hub_models", "trusted_proxies", "webhook_allow", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(filter(None, (name.strip() for name in value.split(",")))) if isinstance(value, str) else value

    @field_validator("hub_models")
    @classmethod
    def _hub_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        families_of(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _trusted_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            try:
                ipaddress.ip_network(address)
            except ValueError:
                raise ValueError(f"{address!r} is no address and no network, such as 10.0.0.7 or 10.0.0.0/24") from None
        return value

    @field_validator("webhook_allow")
    @classmethod
    def _webhook_allow(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return check_hosts(value)

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str | None) -> str | None:
        return None if value is None else check_public_url(value)

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, value: str | None) -> str | None:
        return None if value is None else check_smtp_url(value)

    @field_validator("smtp_from")
    @classmethod
    def _smtp_from(cls, value: str | None) -> str | None:
        return None if value is None else check_mail_address(value)

    @field_validator("workers", mode="before")
    @classmethod
    def _so_many_workers(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and value.strip().isdecimal():
            return (info.data.get("device", ""),) * min(int(value), MAX_WORKERS + 1)
        return cls._split_names(value)

    @field_validator("workers")
    @classmethod
    def _workers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(value) <= MAX_WORKERS:
            raise ValueError(f"must be 1 to {MAX_WORKERS}")
        for device in value:
            if re.fullmatch(r"[a-z]+(:\d+)?", device) is None:
                raise ValueError(f"{device!r} is no device: say how many workers, or such as cuda:0,cuda:1")
        return value

    @field_validator("retired_keys")
    @classmethod
    def _retired_keys(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in value:
            load_public_key(path)
        return value

    @field_validator("inception_weights")
    @classmethod
    def _inception_weights(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"{value}: no such file")
        return value

    @field_validator("clip_weights")
    @classmethod
    def _clip_weights(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value}: no such folder")
        return value

    @field_validator("artifacts_url")
    @classmethod
    def _artifacts_url(cls, value: str) -> str:
        if "://" not in value:
            raise ValueError("must be a URL such as file:///folder or s3://bucket/prefix")
        return check_artifacts_url(value)

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        if self.auth == "none" and not is_loopback(self.host):
            raise ValueError(
                f"LETHE_HOST={self.host} can be reached from other machines and LETHE_AUTH is none: "
                "set LETHE_AUTH=keys (then `lethe keys create`), or listen on 127.0.0.1"
            )
        for name, device in (("LETHE_DEVICE", self.device), *(("LETHE_WORKERS", device) for device in self.workers)):
            if self.gpus > 1 and ":" in device:
                raise ValueError(
                    f"{name}={device} is one GPU, and LETHE_GPUS={self.gpus} asks for several: "
                    "set LETHE_DEVICE=cuda, and choose among them with CUDA_VISIBLE_DEVICES"
                )
        if self.shard and self.gpus == 1:
            raise ValueError(
                "LETHE_SHARD=1 divides what a job trains among several GPUs, and LETHE_GPUS is 1: "
                "set LETHE_GPUS to how many there are, or leave LETHE_SHARD out"
            )
        if self.content_credentials and self.signing_key is None:
            raise ValueError(
                "LETHE_CONTENT_CREDENTIALS=1 signs images with LETHE_SIGNING_KEY, and there is none: "
                "`lethe record keygen` makes one"
            )
        if (self.smtp_url is None) != (self.smtp_from is None):
            raise ValueError("LETHE_SMTP_URL and LETHE_SMTP_FROM go together: set both, or neither")
        if self.renew_seconds * 2 > self.lease_seconds:
            raise ValueError(
                f"LETHE_RENEW_SECONDS={self.renew_seconds:g} must be at most half of LETHE_LEASE_SECONDS="
                f"{self.lease_seconds:g}: one late renewal would lose the job"
            )
        return self

    def require_database(self) -> str:
        """Return the database's URL.

        Raises:
            SettingsError: if none is set.
        """
        if self.database_url is None:
            raise SettingsError(
                "LETHE_DATABASE_URL is not set: give a Postgres such as "
                "postgresql+psycopg://lethe@db.example/lethe, or let `lethe up` start its own"
            )
        return self.database_url

    def require_broker(self) -> str:
        """Return the broker's URL.

        Raises:
            SettingsError: if none is set.
        """
        if self.broker_url is None:
            raise SettingsError(
                "LETHE_BROKER_URL is not set: give a Valkey or Redis such as redis://broker.example:6379/0, "
                "or let `lethe up` start its own"
            )
        return self.broker_url

    def signer(self) -> CryptoSigner | None:
        """Return what signs records; ``None`` where no key is set, and records are unsigned.

        Raises:
            jobs.record.KeyRefused: the key was usable at the start and is no more.
        """
        return None if self.signing_key is None else load_signer(self.signing_key)

    def environment(self) -> dict[str, str]:
        """Return the ``LETHE_*`` variables that give another process these settings."""
        values = self.model_dump(mode="json", exclude_none=True)
        values["retired_keys"] = os.pathsep.join(values["retired_keys"])
        for name in ("hub_models", "trusted_proxies", "workers", "webhook_allow"):
            values[name] = ",".join(values[name])
        return {f"LETHE_{name.upper()}": str(value) for name, value in values.items()}

    def trusted_keys(self) -> tuple[SSlibKey, ...]:
        """Return public keys whose records this service takes for its own: of ``signing_key`` and of those before
        it."""
        signer = self.signer()
        own = () if signer is None else (signer.public_key,)
        return (*own, *(load_public_key(path) for path in self.retired_keys))

    def models(self, adding: bool = False) -> BaseModels:
        """Find the registered base models by name. Whoever keeps the answer sees models that are added later.
        ``adding``: one is to be added, so the folder of one's own need not be there yet.

        Raises:
            sfd_core.errors.ModelRefused: for a folder or manifest that cannot be read.
        """
        made_later = self.models_dir if adding else self.data_dir / OWN_MODELS
        if self.models_dir is not None and self.models_dir != made_later and not self.models_dir.is_dir():
            raise ModelRefused(f"LETHE_MODELS_DIR={self.models_dir}: not a folder: make it, or leave the setting out")
        named = (self.bundled_models_dir, self.models_dir)
        folders = dict.fromkeys(folder for folder in named if folder is not None)
        return BaseModels(tuple(folders), made_later=made_later)


def load_settings(values: Mapping[str, Any] | None = None) -> Settings:
    """Load the settings from the environment, with ``values`` (by field name) above it.

    Raises:
        SettingsError: one line for each wrong value, naming its variable.
    """
    try:
        return Settings(**(values or {}))
    except ValidationError as error:
        lines = []
        for wrong in error.errors(include_url=False, include_input=False):
            if wrong["type"] == "default_factory_not_called":
                continue  # a default that follows from a value that is wrong
            variable = "".join(f"LETHE_{part}".upper() + ": " for part in wrong["loc"][:1])
            lines.append(variable + wrong["msg"].removeprefix("Value error, "))
        raise SettingsError("\n".join(lines)) from None


def is_loopback(host: str) -> bool:
    """Return whether a server on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
