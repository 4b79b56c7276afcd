"""Signing in to the dashboard with an API key, where the service needs one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from api.auth import COOKIE, Authenticator, Credential, Identity, host_in, refuse_other_sites, session_of
from api.dashboard.forms import Posted
from api.dashboard.rendering import render
from api.logs import request_id
from api.problems import Problem
from api.services import Use
from jobs import sessions
from jobs.keys import Scope

router = APIRouter()

SESSION_SECONDS = 12 * 3600


class SignInNeeded(Exception):
    """A page was asked for without a valid key: the way leads to the sign-in page."""


class View:
    """A dependency of pages: who looks at it, by the session's cookie. ``scope``: what the page needs."""

    def __init__(self, scope: Scope) -> None:
        self.scope: Scope = scope

    async def __call__(self, request: Request) -> Identity:
        """The identity.

        Raises:
            SignInNeeded: there is no valid key.
            Problem: ``forbidden`` where the key lacks the scope, or another site has sent the browser.
        """
        authenticator: Authenticator = request.app.state.services.authenticator
        try:
            identity = await authenticator.request(request, None)
        except Problem as problem:
            if problem.kind.code == "unauthenticated":
                raise SignInNeeded from None
            raise
        if not identity.may(self.scope):
            raise Problem("forbidden", f"your API key does not have the scope `{self.scope}`")
        return identity


Viewer = Annotated[Identity, Depends(View("read"))]
Actor = Annotated[Identity, Depends(View("submit"))]
Administrator = Annotated[Identity, Depends(View("admin"))]


def install(app: FastAPI) -> None:
    """Lead whoever is not signed in to the sign-in page, and back."""

    async def sign_in(request: Request, _: Exception) -> Response:
        target = quote(request.url.path, safe="/") if request.method == "GET" else "/"
        return RedirectResponse(f"/login?next={target}", 303, {"Cache-Control": "no-store"})

    app.add_exception_handler(SignInNeeded, sign_in)


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:
    """Show the form."""
    return render(request, "login.html", {"next": _own_path(next), "error": None})


@router.post("/login")
async def login(request: Request, form: Posted, use: Use) -> Response:
    """Take a key, see that it is good, and open a session whose token the cookie keeps."""
    refuse_other_sites(request)
    authenticator, brake = use.authenticator, use.sign_ins
    shown, target = Credential("key", form.get("key", "").strip()), _own_path(form.get("next", "/"))
    if not authenticator.keys:
        return RedirectResponse("/", 303)
    address = request.client.host if request.client else ""
    try:
        brake.check(address)
        identity = await run_in_threadpool(authenticator.identify, shown)
        if not identity.may("read"):
            raise Problem("forbidden", "this API key does not have the scope `read`, which the dashboard needs")
    except Problem as problem:
        if problem.kind.code == "unauthenticated":
            brake.failed(address)
        page = render(request, "login.html", {"next": target, "error": problem.detail}, status=problem.kind.status)
        page.headers.update(problem.headers)
        return page
    assert identity.key is not None
    token = await run_in_threadpool(sessions.start, use.engine, identity.key, SESSION_SECONDS, request_id())
    response = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE, token, SESSION_SECONDS, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return response


@router.post("/logout")
async def logout(request: Request, use: Use) -> Response:
    """End the session, wherever its cookie is."""
    refuse_other_sites(request)
    if (shown := session_of(request)) is not None:
        await run_in_threadpool(sessions.end, use.engine, shown.secret, request_id())
        use.authenticator.forget(shown)
    response = RedirectResponse("/login", 303, {"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return response


def _own_path(target: str) -> str:
    """``target`` if it is a path on this service, else the first page: a link to the sign-in page must not lead
    elsewhere."""
    own = target.startswith("/") and not target.startswith(("//", "/\\")) and host_in(target) == ""
    return target if own and target.isprintable() else "/"
