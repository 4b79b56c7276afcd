"""Services for the api's tests: one without keys and one with, each on a database that its module has for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from jobs import keys
from jobs.settings import Settings
from local.services import Services
from tests.support.serving import Service, serving, write_manifest


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings on a fresh database, with one base model."""
    folder: Path = tmp_path_factory.mktemp("service")
    write_manifest(folder / "models")
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url,
            data_dir=folder,
            bundled_models_dir=folder / "models",
            sample_timeout_seconds=1,
        )


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[Service]:
    """A service without keys: everybody is the tenant ``default``."""
    with serving(settings) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(settings: Settings) -> Iterator[Service]:
    """A service that needs API keys."""
    with serving(settings.model_copy(update={"auth": "keys"})) as running:
        yield running


@pytest.fixture(scope="module")
def bearer(guarded: Service) -> Callable[..., dict[str, str]]:
    """Makes a key and gives the headers to use it: ``bearer("read", tenant="acme")``."""

    def make(*scopes: str, tenant: str = "acme") -> dict[str, str]:
        _, secret = keys.create(guarded.engine, tenant, f"{tenant} {'+'.join(scopes)}", scopes)
        return {"Authorization": f"Bearer {secret}"}

    return make
