"""A broker over TLS by a private authority: both clients take it, and neither takes another's certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobs.broker import QUEUE_JOBS, TASK_RUN, Broker
from jobs.errors import BrokerUnavailable
from tests.support.tls import behind_tls, certificates
from worker.queue import make_app


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Our authority's certificate, the server's by it, and another authority's."""
    ours, theirs = (tmp_path_factory.mktemp(name) for name in ("ours", "theirs"))
    return (*certificates(ours), certificates(theirs)[0])


@pytest.fixture
def port(broker_url: str, authorities: tuple[Path, Path, Path]) -> Iterator[int]:
    with behind_tls(urlsplit(broker_url).path, authorities[1]) as port:
        yield port


def test_by_our_authority(port: int, authorities: tuple[Path, Path, Path]) -> None:
    url = f"rediss://127.0.0.1:{port}/9?ssl_ca_certs={authorities[0]}"
    broker = Broker(url)
    broker.ping()
    before = broker.queue_length()
    broker.send_job("job_1")  # Celery's way
    assert broker.queue_length() == before + 1
    with make_app(url).connection_for_read() as connection:  # a worker's
        message = connection.SimpleQueue(QUEUE_JOBS).get(timeout=5)
        assert message.headers["task"] == TASK_RUN
        message.ack()
    broker.close()


def test_by_any_other_authority_neither_client_connects(port: int, authorities: tuple[Path, Path, Path]) -> None:
    for query in (f"?ssl_ca_certs={authorities[2]}", ""):
        broker = Broker(f"rediss://127.0.0.1:{port}/9{query}")
        with pytest.raises(BrokerUnavailable, match=r"(?i)certificate verify failed"):
            broker.ping()
        with pytest.raises(BrokerUnavailable, match=r"(?i)certificate verify failed"):
            broker.send_job("job_1")
        broker.close()


def test_a_name_that_the_certificate_does_not_have(port: int, authorities: tuple[Path, Path, Path]) -> None:
    broker = Broker(f"rediss://localhost:{port}/9?ssl_ca_certs={authorities[0]}")
    for ask in (broker.ping, lambda: broker.send_job("job_1")):
        with pytest.raises(BrokerUnavailable, match=r"(?i)hostname mismatch|not valid for"):
            ask()
    broker.close()
