"""``python -m api``: serve until SIGTERM or Ctrl-C, then end the open streams, finish what is being answered and go."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api import logs
from api.connections import PATIENCE, Patience, connections
from api.main import create_app
from api.services import Services
from jobs.settings import SettingsError, load_settings

SWITCH_SECONDS = 0.001
"""For how long a thread that computes keeps the interpreter while another wants it."""
GRACE_SECONDS = 8
"""For requests that are being answered when a stop is asked for."""
KEEP_ALIVE_SECONDS = 30
"""For a connection that asks nothing."""
DESCRIPTORS = 65_536
"""Open files and connections that are asked of the system."""


class Server(uvicorn.Server):
    """A server that tells the application of a stop at once: uvicorn itself says so only when every answer is out,
    and an event stream would go on until its job ends."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.lethe = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop the server, called by the signal's handler; a second Ctrl-C does not wait. As uvicorn's own, which then
        raises the signal once more: a stop that was asked for is no failure."""
        services: Services | None = getattr(self.lethe.state, "services", None)
        if services is not None:
            services.loop.call_soon_threadsafe(services.close_streams)
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def make_server(
    app: FastAPI, host: str, port: int, trusted_proxies: Sequence[str] = (), patience: Patience = PATIENCE
) -> Server:
    """Make the server of ``app``, not started. It says nothing of itself, and logs through ``api.logs``.
    ``trusted_proxies``: addresses or networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=connections(patience),
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    return Server(config, app)


def share_the_processor() -> None:
    """Have a request that computes for a second (a long submission, planned in a thread) hold up the others for
    milliseconds. Without either, one in a hundred waits a tenth of a second or two."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # what was imported is never waste: a collection need not walk through it


def main() -> int:
    """Run the service. Exits with 0 after a stop that was asked for, with 2 for settings that are wrong."""
    try:
        settings = load_settings()
        settings.require_database()
        settings.require_broker()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings.log_level, settings.log_format)
    os.umask(0o077)  # what the api writes is nobody else's on its machine
    _raise_descriptors()
    server = make_server(create_app(settings), settings.host, settings.port, settings.trusted_proxies)
    share_the_processor()
    server.run()
    return 0 if server.started else 1


def _raise_descriptors() -> None:
    """Allow as many open connections as the system does: a shell's usual 1024 are few for a server of streams."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, wanted), most))


if __name__ == "__main__":
    sys.exit(main())
