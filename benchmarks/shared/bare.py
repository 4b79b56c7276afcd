"""A bare FastAPI service to measure another beside: the same answers, byte for byte, and nothing behind them.

``python -m benchmarks.shared.bare FILE`` serves what ``FILE`` holds (a JSON list of :class:`Answer`) with uvicorn as
the api is, on a free port, which is the one line that it prints. ``GET /events`` is a stream that tells the time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import Response, StreamingResponse

from benchmarks.shared.page import ROOT

EVENTS = "/events"
EVENT_SECONDS = 0.2


@dataclass(frozen=True)
class Answer:
    """An answer that is given to whatever is asked at ``path``. ``content``: in base64."""

    method: str
    path: str
    status: int
    media_type: str
    content: str

    @classmethod
    def of(cls, method: str, path: str, status: int, media_type: str, content: bytes) -> Answer:
        """Make one of a real service's answer."""
        return cls(method, path, status, media_type, base64.b64encode(content).decode())


def make_app(answers: Sequence[Answer]) -> FastAPI:
    """Make the service: a route for each of ``answers``, which reads its request's body as JSON."""
    app = FastAPI()
    for each in answers:
        app.add_api_route(each.path, _route(each), methods=[each.method])

    @app.get(EVENTS)
    async def events() -> StreamingResponse:
        return StreamingResponse(_told(), media_type="text/event-stream")

    return app


def _route(answer: Answer) -> Any:
    content = base64.b64decode(answer.content)

    async def route(request: Request) -> Response:
        if answer.method == "POST":
            await request.json()
        return Response(content, answer.status, media_type=answer.media_type)

    return route


async def _told() -> AsyncIterator[bytes]:
    while True:
        yield b"data: " + json.dumps({"data": {"sent": time.monotonic()}}).encode() + b"\n\n"
        await asyncio.sleep(EVENT_SECONDS)


@contextmanager
def bare(answers: Sequence[Answer], folder: Path) -> Iterator[str]:
    """Run the service in a process of its own. Yields its URL."""
    file = folder / "answers.json"
    file.write_text(json.dumps([asdict(each) for each in answers]))
    command = [sys.executable, "-m", "benchmarks.shared.bare", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def main(file: Path) -> None:
    """Serve until SIGTERM."""
    app = make_app([Answer(**each) for each in json.loads(file.read_text())])
    # Only where a socket names its protocol does asyncio send what is short at once, as it does of sockets of its own.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(2048)
        print(listening.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)).run([listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
