"""Keys and scopes, other tenants, other sites."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.auth import COOKIE
from api.brake import FAILURES
from jobs import keys, sessions
from jobs.settings import Settings
from jobs.states import EventType
from tests.api.making import body, is_problem, publish, published, signed_in, submitted, train
from tests.api.test_events import events, streaming
from tests.support.serving import Service, serving
from tests.support.waiting import wait_for

Bearer = Callable[..., dict[str, str]]
OPEN = {"/livez", "/readyz"}
RELEASE = "/v1/generators/{generator_id}/release"
WEBHOOKS = "/v1/webhooks"
DELETION = {"reason": "the contract has ended"}
SENT = {
    "/v1/jobs": body(),
    "/v1/generators/{generator_id}/samples": {"concept": "Sneaker"},
    RELEASE: {"reason": "reviewed by hand"},
    WEBHOOKS: {"url": "https://hooks.example/"},
    "/v1/jobs/{job_id}": {"case": {"ticket": "T-1"}},
    "/v1/estimates": body(),
    f"{WEBHOOKS}/{{webhook_id}}": {},
    f"{WEBHOOKS}/{{webhook_id}}/rotate": {},
}


def operations(service: Service) -> list[tuple[str, str]]:
    """Every operation of the OpenAPI document: method and path. Those that delete come last."""
    paths = service.http.get("/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, item in paths.items() for method in item]
    return sorted(found, key=lambda operation: operation[0] == "DELETE")


def call(service: Service, method: str, path: str, headers: dict[str, str], **ids: str) -> httpx.Response:
    """Call an operation with ids put into its path."""
    filled = re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], "fashion"), path)
    return service.http.request(
        method, filled, headers=headers, json=DELETION if method == "DELETE" else SENT.get(path)
    )


def told(service: Service, headers: dict[str, str], folder: Path) -> dict[str, str]:
    """The ids of a webhook, of a generator whose job it was told of, and of that delivery."""
    hook = service.http.post(WEBHOOKS, json=SENT[WEBHOOKS], headers=headers).json()
    generator_id = published(service, folder, headers=headers)
    (delivery,) = service.http.get(hook["links"]["deliveries"], headers=headers).json()["data"]
    return {"generator_id": generator_id, "webhook_id": hook["id"], "delivery_id": delivery["id"]}


def test_every_operation_needs_a_key_with_its_scope(guarded: Service, bearer: Bearer, tmp_path: Path) -> None:
    admin = bearer("admin")
    gone = published(guarded, tmp_path, headers=admin)
    assert call(guarded, "DELETE", "/v1/generators/{generator_id}", admin, generator_id=gone).status_code == 200
    ids = {"job_id": submitted(guarded, admin), "deleted": gone, **told(guarded, admin, tmp_path)}
    seen = 0
    for method, path in operations(guarded):
        if path in OPEN:
            assert call(guarded, method, path, {}).status_code == 200
            continue
        seen += 1
        needed, other = ("read", "submit") if method == "GET" else ("submit", "read")
        if path in (RELEASE, "/v1/audit", "/v1/storage") or method == "DELETE" or path.startswith(WEBHOOKS):
            needed, other = "admin", "submit"
        if path == "/metrics":
            needed, other = "metrics", "admin"
        answer = call(guarded, method, path, {}, **ids)
        is_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        for wrong in ("Bearer lethe_nonsense", "Bearer", "Basic bGV0aGU6eA==", "Bearer " + "x" * 5000):
            is_problem(call(guarded, method, path, {"Authorization": wrong}, **ids), 401, "unauthenticated")
        document = is_problem(call(guarded, method, path, bearer(other), **ids), 403, "forbidden")
        assert f"`{needed}`" in document["detail"]
        for scope in {needed, "admin"} - {other}:
            own = told(guarded, admin, tmp_path) if method == "DELETE" else {}
            assert call(guarded, method, path, bearer(scope), **ids | own).status_code not in (401, 403, 404, 422)
    assert seen >= 22


def test_another_tenants_ids_do_not_exist(guarded: Service, bearer: Bearer, tmp_path: Path) -> None:
    mine, theirs = bearer("admin", tenant="acme"), bearer("admin", tenant="globex")
    ids = told(guarded, theirs, tmp_path)
    generator_id = ids["generator_id"]
    job_id = guarded.http.get(f"/v1/generators/{generator_id}", headers=theirs).json()["job"]
    seen = 0
    for method, path in operations(guarded):
        if "_id}" not in path:
            continue
        seen += 1
        answer = call(guarded, method, path, mine, job_id=job_id, **ids)
        is_problem(answer, 404, f"{re.findall(r'{(.*?)_id}', path)[0]}_not_found")
    assert seen >= 16
    lists = ("/v1/jobs", "/v1/generators", "/v1/tombstones", WEBHOOKS, f"{WEBHOOKS}?job={job_id}")
    listed = [guarded.http.get(path, headers=mine).text for path in lists]
    assert not any(each in text for each in (job_id, *ids.values()) for text in listed)
    own = guarded.http.post(WEBHOOKS, json=SENT[WEBHOOKS], headers=mine).json()["id"]
    elsewhere = f"{WEBHOOKS}/{own}/deliveries/{ids['delivery_id']}/redeliver"
    is_problem(guarded.http.post(elsewhere, headers=mine), 404, "delivery_not_found")
    with httpx.Client(base_url=guarded.url, cookies=signed_in(guarded, mine)) as browser:
        for path in (f"/jobs/{job_id}", f"/parts/jobs/{job_id}", f"/generators/{generator_id}"):
            assert browser.get(path).status_code == 404
        same = {"sec-fetch-site": "same-origin"}
        for path in (f"/jobs/{job_id}/cancel", f"/jobs/{job_id}/retry", f"/generators/{generator_id}/release"):
            assert browser.post(path, headers=same, data={"reason": "reviewed by hand"}).status_code == 404


def test_the_same_idempotency_key_of_two_tenants_is_two_jobs(guarded: Service, bearer: Bearer) -> None:
    key = {"Idempotency-Key": "order-1"}
    made = [submitted(guarded, bearer("submit", tenant=tenant) | key) for tenant in ("acme", "globex")]
    assert made[0] != made[1]


def test_keys_that_ended(guarded: Service, bearer: Bearer) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    _, expired = keys.create(guarded.engine, "acme", "old", ["read"], past)
    answer = guarded.http.get("/v1/jobs", headers={"Authorization": f"Bearer {expired}"})
    assert "expired" in is_problem(answer, 401, "unauthenticated")["detail"]


def test_a_revocation_holds_within_five_seconds(guarded: Service, bearer: Bearer) -> None:
    key, secret = keys.create(guarded.engine, "acme", "leaked", ["admin"])
    headers = {"Authorization": f"Bearer {secret}"}
    job_id = submitted(guarded, headers)
    train(guarded.store, job_id)
    with streaming(guarded, job_id, headers=headers) as (_, lines):
        assert guarded.http.get("/v1/jobs", headers=headers).status_code == 200
        keys.revoke(guarded.engine, key.id)
        began = time.monotonic()
        wait_for(lambda: guarded.http.get("/v1/jobs", headers=headers).status_code == 401, 5)
        for _ in lines:  # an open stream ends too
            pass
        assert time.monotonic() - began < 5


@contextmanager
def busy(service: Service, job_id: str) -> Iterator[None]:
    """Something happens to the job every few hundredths of a second: no open stream is ever without an event."""
    attempt = train(service.store, job_id)
    over = threading.Event()

    def write() -> None:
        while not over.wait(0.03):
            service.store.progress(job_id, attempt, {"of": 1}, [(EventType.PROGRESS, {"images": 1})])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


@pytest.mark.parametrize(("ended_by", "sent_as"), [("revocation", "header"), ("expiry", "cookie")])
def test_a_busy_stream_ends_with_its_key(guarded: Service, bearer: Bearer, ended_by: str, sent_as: str) -> None:
    job_id = submitted(guarded, bearer("admin"))
    expires = datetime.now(UTC) + timedelta(seconds=1.5)
    key, secret = keys.create(guarded.engine, "acme", "leaked", ["read"], expires if ended_by == "expiry" else None)
    headers = {"Authorization": f"Bearer {secret}"}
    if sent_as == "cookie":
        headers = {"Cookie": f"{COOKIE}={signed_in(guarded, headers)[COOKIE]}"}
    with busy(guarded, job_id), streaming(guarded, job_id, headers=headers) as (_, lines):
        for _ in zip(events(lines), range(20), strict=False):
            pass
        ends = expires
        if ended_by == "revocation":
            keys.revoke(guarded.engine, key.id)
            ends = datetime.now(UTC)
        for _ in events(lines):  # ends whole, not by a broken connection
            assert datetime.now(UTC) - ends < timedelta(seconds=5), "goes on with a key that ended"
    assert guarded.http.get("/v1/jobs", headers=headers).status_code == 401


def test_a_stream_that_is_read_slowly_ends_with_its_key(guarded: Service, bearer: Bearer) -> None:
    job_id = submitted(guarded, bearer("admin"))
    attempt = train(guarded.store, job_id)
    long = [(EventType.PROGRESS, {"words": "x" * 1000})] * 500
    for _ in range(40):  # 20 MB: more than sockets hold
        guarded.store.progress(job_id, attempt, {"of": 1}, long)
    key, secret = keys.create(guarded.engine, "acme", "leaked", ["read"])
    with streaming(guarded, job_id, headers={"Authorization": f"Bearer {secret}"}) as (_, lines):
        next(events(lines))
        keys.revoke(guarded.engine, key.id)
        watch = bearer("metrics")
        wait_for(lambda: "lethe_event_streams 0.0" in guarded.http.get("/metrics", headers=watch).text, 5)


def test_a_download_that_is_read_slowly_breaks_off_with_its_key(
    guarded: Service, bearer: Bearer, tmp_path: Path
) -> None:
    admin = bearer("admin")
    job_id = submitted(guarded, admin)
    weights = {"unet/model.safetensors": bytes(40_000_000)}
    generator_id = publish(guarded, job_id, train(guarded.store, job_id), tmp_path, generator_files=weights)
    key, secret = keys.create(guarded.engine, "acme", "leaked", ["read"])
    headers = {"Authorization": f"Bearer {secret}"}
    with guarded.http.stream("GET", f"/v1/generators/{generator_id}/archive", headers=headers) as answer:
        pieces = answer.iter_bytes(100_000)
        got = [len(next(pieces))]
        keys.revoke(guarded.engine, key.id)
        ended = time.monotonic()

        def read_slowly() -> None:
            for piece in pieces:
                got.append(len(piece))
                # What comes later lay in buffers, or comes of a key that ended, and then it is all of it.
                if time.monotonic() - ended < 5:
                    time.sleep(0.03)

        with pytest.raises(httpx.RemoteProtocolError):  # so that nobody takes it for whole
            read_slowly()
    assert sum(got) < 40_000_000


def test_the_table_holds_no_usable_key(guarded: Service, bearer: Bearer) -> None:
    secret = bearer("admin")["Authorization"].split()[1]
    with guarded.engine.connect() as connection:
        dump = str(connection.exec_driver_sql("SELECT * FROM api_keys").all())
    assert secret not in dump
    for word in re.findall(r"[A-Za-z0-9_-]{20,}", dump):
        assert guarded.http.get("/v1/jobs", headers={"Authorization": f"Bearer {word}"}).status_code == 401


def test_signing_in_and_out(guarded: Service, bearer: Bearer) -> None:
    secret = bearer("read", "submit", tenant="acme")["Authorization"].split()[1]
    with httpx.Client(base_url=guarded.url) as browser:
        away = browser.get("/generators")
        assert (away.status_code, away.headers["location"]) == (303, "/login?next=/generators")
        assert browser.get("/login?next=/generators").status_code == 200
        wrong = browser.post("/login", data={"key": "lethe_nonsense", "next": "/"})
        assert wrong.status_code == 401
        assert "not known" in wrong.text
        home = browser.post("/login", data={"key": secret, "next": "/generators"})
        assert (home.status_code, home.headers["location"]) == (303, "/generators")
        cookie = home.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get("/generators").status_code == 200
        # The pages' own scripts use the API with the same cookie.
        assert browser.get("/v1/jobs").status_code == 200
        assert browser.post("/v1/jobs", json=body(), headers={"sec-fetch-site": "same-origin"}).status_code == 202
        assert browser.post("/logout").status_code == 303
        assert browser.get("/generators").status_code == 303


def test_a_session_is_no_key_and_a_key_no_session(guarded: Service, bearer: Bearer) -> None:
    own = bearer("read")
    (token,) = signed_in(guarded, own).values()
    assert token not in own["Authorization"]
    is_problem(guarded.http.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"}), 401, "unauthenticated")
    with httpx.Client(base_url=guarded.url, cookies={"lethe_session": own["Authorization"].split()[1]}) as browser:
        is_problem(browser.get("/v1/jobs"), 401, "unauthenticated")
    with guarded.engine.connect() as connection:
        assert token not in str(connection.exec_driver_sql("SELECT * FROM sessions").all())


def test_a_cookie_that_was_copied_ends_with_signing_out(guarded: Service, bearer: Bearer) -> None:
    own = bearer("read")
    cookies, others = signed_in(guarded, own), signed_in(guarded, own)
    with httpx.Client(base_url=guarded.url, cookies=cookies) as thief:
        assert thief.get("/v1/jobs").status_code == 200
        httpx.post(f"{guarded.url}/logout", cookies=cookies)
        is_problem(thief.get("/v1/jobs"), 401, "unauthenticated")
    assert httpx.get(f"{guarded.url}/v1/jobs", cookies=others).status_code == 200
    assert guarded.http.get("/v1/jobs", headers=own).status_code == 200


def test_a_session_ends_with_its_key_and_by_the_clock(guarded: Service) -> None:
    key, secret = keys.create(guarded.engine, "acme", "for a while", ["read"])
    headers = {"Authorization": f"Bearer {secret}"}
    lasting = signed_in(guarded, headers)
    over = sessions.start(guarded.engine, key, -1)
    is_problem(httpx.get(f"{guarded.url}/v1/jobs", cookies={"lethe_session": over}), 401, "unauthenticated")
    assert sessions.remove_ended(guarded.engine) == 1
    assert httpx.get(f"{guarded.url}/v1/jobs", cookies=lasting).status_code == 200
    keys.revoke(guarded.engine, key.id)
    wait_for(lambda: httpx.get(f"{guarded.url}/v1/jobs", cookies=lasting).status_code == 401, 5)


def test_whoever_guesses_has_to_wait(settings: Settings) -> None:
    with serving(settings.model_copy(update={"auth": "keys"})) as service:
        _, secret = keys.create(service.engine, "acme", "right", ["read"])

        def sign_in(key: str, address: str = "127.0.0.1") -> httpx.Response:
            headers = {"X-Forwarded-For": address}
            return httpx.post(f"{service.url}/login", data={"key": key, "next": "/"}, headers=headers)

        assert [sign_in(f"lethe_{i}", f"10.0.0.{i}").status_code for i in range(FAILURES)] == [401] * FAILURES
        for key in ("lethe_more", secret):
            refused = sign_in(key)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert "wrong keys" in refused.text
        # Whoever has a key, or a session, is not kept waiting.
        assert service.http.get("/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_a_trusted_proxy_says_who_asks(settings: Settings) -> None:
    behind = settings.model_copy(update={"auth": "keys", "trusted_proxies": ("127.0.0.0/8",)})
    with serving(behind) as service:
        _, secret = keys.create(service.engine, "acme", "right", ["read"])
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        for i in range(FAILURES):
            httpx.post(f"{service.url}/login", data={"key": f"lethe_{i}"}, headers=headers)
        assert httpx.post(f"{service.url}/login", data={"key": secret}, headers=headers).status_code == 429
        other = httpx.post(
            f"{service.url}/login", data={"key": secret}, headers=headers | {"X-Forwarded-For": "203.0.113.8"}
        )
        assert other.status_code == 303
        assert "Secure" in other.headers["set-cookie"]


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1"])
def test_signing_in_leads_nowhere_else(guarded: Service, bearer: Bearer, target: str) -> None:
    secret = bearer("read")["Authorization"].split()[1]
    answer = guarded.http.post("/login", data={"key": secret, "next": target})
    assert answer.headers["location"] == "/"
    guarded.http.cookies.clear()


OTHER_SITES = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
]


@pytest.mark.parametrize("headers", OTHER_SITES)
def test_another_site_cannot_use_the_cookie(guarded: Service, bearer: Bearer, headers: dict[str, str]) -> None:
    own = bearer("admin")
    job_id = submitted(guarded, own)
    with httpx.Client(base_url=guarded.url, cookies=signed_in(guarded, own)) as browser:
        for path in ("/v1/jobs", f"/v1/jobs/{job_id}/cancel"):
            is_problem(browser.post(path, headers=headers, json=body()), 403, "forbidden")
        assert browser.post(f"/jobs/{job_id}/cancel", headers=headers).status_code == 403
        assert browser.post("/login", headers=headers).status_code == 403
    assert guarded.store.get(job_id).status == "queued"


@pytest.mark.parametrize("headers", [*OTHER_SITES, {"host": "evil.example"}, {"host": "127.0.0.1.evil.example"}])
def test_another_site_cannot_use_a_service_without_keys(service: Service, headers: dict[str, str]) -> None:
    before = service.count("jobs")
    is_problem(service.http.post("/v1/jobs", json=body(), headers=headers), 403, "forbidden")
    assert service.count("jobs") == before
    if "host" in headers:  # a name that was pointed at this machine
        is_problem(service.http.get("/v1/jobs", headers=headers), 403, "forbidden")
        assert service.http.get("/", headers=headers).status_code == 403
