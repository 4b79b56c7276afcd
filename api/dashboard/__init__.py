"""The dashboard: pages rendered on the server, live by the same event streams that programs read. No build step, and
nothing is loaded from anywhere else."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.dashboard import deletion_pages, generator_pages, job_pages, new_job_page, reference, session
from api.dashboard.rendering import STATIC, render
from api.negotiation import preferred
from api.problems import Problem

__all__ = ["error_page", "install", "wants_page"]


class _Static(StaticFiles):
    """Scripts and styles. Their URLs on the pages carry a digest, so those may be kept for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file."""
        response = await super().get_response(path, scope)
        known = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if known else "no-cache"
        return response


def install(app: FastAPI) -> None:
    """Add the dashboard's pages to the application."""
    app.mount("/static", _Static(directory=Path(STATIC)), name="static")
    for module in (session, new_job_page, job_pages, generator_pages, deletion_pages, reference):
        app.include_router(module.router, include_in_schema=False)
    session.install(app)


def wants_page(request: Request) -> bool:
    """Return whether an error is better shown as a page: outside of the API, to somebody who reads HTML."""
    path = request.url.path
    if path.startswith(("/v1/", "/static/", "/livez", "/readyz", "/metrics", "/openapi.json")):
        return False
    return preferred(request.headers.get("accept"), ("application/json", "text/html")) == "text/html"


def error_page(request: Request, problem: Problem) -> Response:
    """Show an error to people."""
    document = problem.response()
    response = render(request, "error.html", {"problem": problem.to_json()}, status=problem.kind.status)
    for name in ("Retry-After", "WWW-Authenticate", "Allow"):
        if name in document.headers:
            response.headers[name] = document.headers[name]
    return response
