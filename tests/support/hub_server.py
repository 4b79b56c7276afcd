"""A model hub on loopback: what ``huggingface_hub`` asks of one, over the files of a folder."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin", ".ckpt")
"""What a hub keeps in large-file storage, by SHA-256."""


@dataclass
class Hub:
    """``repositories``: folders by ``org/name``, each with the one commit ``REVISION``. ``gated``: those that need a
    token. ``served``: every file that was handed out, in order. ``lies``: files that come otherwise than they are
    listed."""

    url: str = ""
    repositories: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    served: list[str] = field(default_factory=list)
    lies: set[str] = field(default_factory=set)
    down: bool = False


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Serve until the context ends."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if hub.down:
                return self.answer(503, {}, b"down")
            parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
            match parts:
                case ["api", "models", org, repository, "tree" as action, revision]:
                    file = ""
                case [org, repository, "resolve" as action, revision, *names]:
                    file = "/".join(names)
                case _:
                    return self.answer(404, {}, b"nothing here")
            name = f"{org}/{repository}"
            if name not in hub.repositories:
                return self.answer(404, {"X-Error-Code": "RepoNotFound"}, b"{}")
            if name in hub.gated:
                return self.answer(403, {"X-Error-Code": "GatedRepo"}, b"{}")
            if revision != REVISION:
                return self.answer(404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
            folder = hub.repositories[name]
            if action == "tree":
                listed = [entry(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]
                return self.answer(200, {"Content-Type": "application/json"}, json.dumps(listed).encode())
            return self.file(folder / file, file)

        def file(self, path: Path, name: str) -> None:
            content = path.read_bytes()
            whole = digest(path)
            if name in hub.lies:
                content = content[:-1] + bytes([content[-1] ^ 1])
            headers = {"ETag": f'"{whole}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            if self.command == "GET":
                hub.served.append(name)
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206 if start else 200, headers, content[start:])

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def digest(path: Path) -> str:
    """By which a hub knows a file: SHA-256 of large ones, git's digest of the others."""
    content = path.read_bytes()
    if path.suffix in LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(folder: Path, path: Path) -> dict[str, object]:
    """A file as a listing has it."""
    size, known = path.stat().st_size, digest(path)
    listed: dict[str, object] = {"type": "file", "path": path.relative_to(folder).as_posix(), "size": size}
    if path.suffix in LARGE:
        return listed | {"oid": "0" * 40, "lfs": {"oid": known, "size": size, "pointerSize": 134}}
    return listed | {"oid": known}
