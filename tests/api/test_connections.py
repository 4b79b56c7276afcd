"""Clients that do not go on: half a head, a body that never comes, answers that nobody reads."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from api.connections import Patience
from jobs.settings import Settings
from tests.api.making import submitted
from tests.api.test_events import streaming
from tests.support.serving import Service, serving, serving_process
from tests.support.waiting import wait_for

HALF = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
NO_BODY = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
PATIENCE = Patience(head=1.0, body=1.5, read=1.0, of_one=20, in_all=40)


@pytest.fixture(scope="module")
def impatient(settings: Settings) -> Iterator[Service]:
    """A service that waits a second where the real one waits ten or twenty."""
    with serving(settings, PATIENCE) as running:
        yield running


def connected(service: Service, sent: bytes = b"") -> socket.socket:
    """A client that has sent so much."""
    url = httpx.URL(service.url)
    client = socket.create_connection((url.host, url.port), timeout=20)
    client.sendall(sent)
    return client


def answer_to(client: socket.socket) -> bytes:
    """All that comes until the service closes the connection."""
    pieces = []
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def next_status(client: socket.socket) -> int:
    """The status of the next answer, all of which is read, in however many pieces it comes."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    answer.read()
    return answer.status


@pytest.mark.parametrize("rest", [0, 1 << 20])
def test_a_refusal_comes_whole_whatever_is_still_sent(impatient: Service, rest: int) -> None:
    """The service does not read a body of what is no request; but the client may be sending one."""
    for _ in range(20):
        with connected(impatient, b"GET / HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n") as client:
            client.sendall(b"x" * rest)
            assert next_status(client) == 400


@pytest.mark.parametrize("sent", [b"", HALF], ids=["nothing", "half a head"])
def test_a_head_that_does_not_come_is_waited_for_no_longer(impatient: Service, sent: bytes) -> None:
    with connected(impatient, sent) as client:
        began = time.monotonic()
        assert answer_to(client).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 5


def test_a_head_that_drips_is_no_reason_to_wait(impatient: Service) -> None:
    with connected(impatient, HALF) as client:
        began = time.monotonic()
        client.settimeout(0.2)
        while True:  # a header every fifth of a second, for ever
            try:
                client.sendall(b"X-More: 1\r\n")
                if client.recv(100):
                    break
            except TimeoutError:
                assert time.monotonic() - began < 5
            except OSError:
                break
        assert time.monotonic() - began < 5


def test_a_body_that_does_not_come_is_waited_for_no_longer(impatient: Service) -> None:
    with connected(impatient, NO_BODY) as client:
        began = time.monotonic()
        assert answer_to(client) == b""
        assert time.monotonic() - began < 6


def test_the_oldest_of_many_halves_goes_and_others_are_answered(impatient: Service) -> None:
    with ExitStack() as clients:
        opened = [clients.enter_context(connected(impatient, HALF)) for _ in range(60)]
        began = time.monotonic()
        assert httpx.get(f"{impatient.url}/livez").status_code == 200
        assert time.monotonic() - began < 5
        assert answer_to(opened[0]).startswith(b"HTTP/1.1 408 ")
        opened[-1].sendall(b"\r\n")  # one of the last goes on, and is answered
        assert opened[-1].recv(15) == b"HTTP/1.1 200 OK"


def test_one_that_goes_on_is_a_client_like_others(impatient: Service) -> None:
    with connected(impatient, HALF) as client:
        client.sendall(b"\r\n")
        assert next_status(client) == 200
        client.sendall(HALF + b"\r\n")  # the next one on the same connection
        assert next_status(client) == 200


def test_a_stream_that_says_nothing_for_long_goes_on(impatient: Service) -> None:
    job_id = submitted(impatient)
    with streaming(impatient, job_id) as (_, lines):
        next(line for line in lines if line.startswith("data:"))
        deadline = time.monotonic() + PATIENCE.read + PATIENCE.body
        wait_for(lambda: time.monotonic() > deadline, 10)
        impatient.store.request_cancel(job_id)
        assert any("job.cancelled" in line for line in lines)


def test_who_does_not_read_is_left(impatient: Service) -> None:
    """Far more than both kernels' buffers hold is asked for, and nothing is read."""
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(impatient) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.5)
        began = time.monotonic()

        def cut() -> bool:
            try:
                client.sendall(asked)
            except TimeoutError:
                return False
            except OSError:
                return True
            return False

        wait_for(cut, 20)
        assert time.monotonic() - began < 20


def test_many_that_do_not_go_on_are_all_left_and_others_answered(
    impatient: Service, settings: Settings, full: bool, figure: Callable[[str], None], tmp_path: Path
) -> None:
    """In the full form the service as it is shipped, in a process of its own."""
    heads, bodies, readers = (2000, 500, 500) if full else (60, 20, 10)
    with ExitStack() as opened:
        url = httpx.URL(opened.enter_context(serving_process(settings, tmp_path / "log"))[1] if full else impatient.url)
        slowest, answered, over = 0.0, 0, threading.Event()

        def live() -> None:
            nonlocal slowest, answered
            # From another address: of one's own halves, the oldest would have to go.
            with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=30) as http:
                while not over.is_set():
                    began = time.monotonic()
                    assert http.get(url.join("/livez"), headers={"connection": "close"}).status_code == 200
                    slowest, answered = max(slowest, time.monotonic() - began), answered + 1

        asking = threading.Thread(target=live)
        asking.start()
        opened.callback(asking.join)
        opened.callback(over.set)
        clients = []
        for sent in [HALF] * heads + [NO_BODY] * bodies + [NOTHING_READ] * readers:
            client = opened.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((url.host, url.port))
            client.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                client.send(sent)
            clients.append(client)
        began, left = time.monotonic(), clients
        while left:
            left = still_open(url.port, left)
            assert time.monotonic() - began < 45, f"{len(left)} of {len(clients)} are still open"
            time.sleep(0.1)
        seconds = time.monotonic() - began
    assert seconds < 30
    assert answered > 0
    assert slowest < 5
    figure(f"{len(clients)} closed within {seconds:.0f} s; /livez {slowest * 1000:.0f} ms at the slowest of {answered}")


NOTHING_READ = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200


def still_open(port: int | None, clients: list[socket.socket]) -> list[socket.socket]:
    """Those whose connection the service has not closed. Who reads nothing does not hear of it: the end comes after
    what lies in the kernel's buffers."""
    theirs = {
        each.raddr.port
        for each in psutil.net_connections("tcp")
        if each.laddr.port == port and each.raddr and each.status in (psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT)
    }
    return [client for client in clients if client.getsockname()[1] in theirs]


SMUGGLED = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
)


def test_a_length_that_is_said_twice_is_refused_and_the_rest_not_read(impatient: Service) -> None:
    with connected(impatient, SMUGGLED) as client:
        answer = answer_to(client)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"said twice" in answer
