"""Nothing that a client can send is answered by 500: nasty values in every header, parameter and field of every body
and form, of every route that there is. Seeded: the same values in every run."""

from __future__ import annotations

import http.client
import importlib
import json
import pkgutil
import random
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi.routing import APIRoute

import api.dashboard
import api.routes
from tests.api.making import body, published, submitted
from tests.support.serving import Service

TEXTS: list[str] = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202e",
    "é" * 300,
    "\U0001f600",
    "[",
    "]",
    "//[",
    "http://[",
    "http://[::1",
    "http://[v1.x]:99999999",
    "//[",
    "localhost:99999999999999999999",
    "127.0.0.1:port",
    "127.0.0.1@evil",
    "%",
    "%00",
    "%zz",
    "{}",
    "{{7*7}}",
    "$[",
    "~",
    "/../../etc/passwd",
    "\\",
    "-1",
    "9" * 400,
    "1e999",
    "NaN",
    "Infinity",
    "null",
    "true",
    ",",
    ";q=",
    "text/html;q=1e999, */*;q=nan",
    'W/"',
    "Bearer",
    "Basic [",
    "hub:",
    "hub:[@",
    "hub:a/b@" + "0" * 40,
    "x" * 5000,
]
VALUES: list[Any] = [
    *TEXTS,
    None,
    True,
    0,
    -1,
    0.5,
    10**308,
    10**309,
    -(10**400),
    1 << 63,
    float("nan"),
    float("-inf"),
    [],
    [[]],
    {},
    {"": ""},
    {"\ud800": "\ud800"},
    {"random": "\ud800"},
    {"prompts": ["\ud800"]},
    [{}] * 50,
    ["a"] * 2000,
    [10**400],
]
HEADERS = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Connection",
    "Content-Type",
    "Cookie",
    "Expect",
    "Forwarded",
    "Host",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Origin",
    "Range",
    "Referer",
    "Sec-Fetch-Site",
    "Upgrade",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Request-ID",
]
JSON = {"Content-Type": b"application/json"}
FORM = {"Content-Type": b"application/x-www-form-urlencoded"}
SAMPLES = 200
"""Of the values of one part, where there are more: by chance, but the same in every run."""


class Asker:
    """A client that sends what others refuse to, and says what came back."""

    def __init__(self, service: Service) -> None:
        self.host = service.url.removeprefix("http://")
        self.seen = 0

    def __call__(
        self, method: str, target: str, headers: dict[str, bytes] | None = None, content: bytes | None = None
    ) -> int:
        """Send one request; the answer's status, once it is known to be no failure of ours."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": self.host.encode()} | (headers or {})
            if content is not None:
                sent["Content-Length"] = str(len(content)).encode()
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            self.seen += 1
            what = (method, target[:200], {name: value[:60] for name, value in sent.items()}, (content or b"")[:300])
            assert answer.status < 500, (answer.status, what)
            if answer.headers.get_content_type() != "text/event-stream":
                text = answer.read()
                if answer.headers.get_content_subtype().endswith("json"):
                    json.loads(text.decode())
            return answer.status
        finally:
            connection.close()


@pytest.fixture
def ask(service: Service) -> Asker:
    return Asker(service)


@pytest.fixture(scope="module")
def ids(service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a path may name: a job that is over and its generator."""
    generator_id = published(service, tmp_path_factory.mktemp("published"), verdict="fail")
    job_id = service.http.get(f"/v1/generators/{generator_id}").json()["job"]
    return {"job_id": job_id, "generator_id": generator_id, "name": "fashion"}


def some(values: list[Any], what: object, most: int = SAMPLES) -> list[Any]:
    """At most so many of ``values``, the same in every run."""
    return values if len(values) <= most else random.Random(str(what)).sample(values, most)


def latin(text: str) -> bytes:
    """A text as it can stand in a header: no line end, any byte else."""
    return text.encode("utf-8", "surrogatepass").replace(b"\n", b"").replace(b"\r", b"")


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: ids.get(found[1], "x"), path)


def routes() -> list[APIRoute]:
    """Every route of the API and the dashboard, also those that are written one day."""
    found = []
    for room in (api.routes, api.dashboard):
        for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            router = getattr(importlib.import_module(module.name), "router", None)
            found += [route for route in getattr(router, "routes", ()) if isinstance(route, APIRoute)]
    return found


def queries(route: APIRoute) -> list[str]:
    """The names of a route's query parameters."""
    found: list[str] = []
    for one in route.dependant.query_params:
        found += getattr(one.field_info.annotation, "model_fields", {one.alias: one})
    return found


def test_every_header(service: Service, ask: Asker, ids: dict[str, str]) -> None:
    asked = [
        ("GET", "/v1/jobs", None),
        ("GET", f"/v1/jobs/{ids['job_id']}", None),
        ("GET", f"/v1/jobs/{ids['job_id']}/events?after=5", None),
        ("GET", f"/v1/jobs/{ids['job_id']}/report", None),
        ("POST", "/v1/jobs", json.dumps(body()).encode()),
        ("GET", "/", None),
        ("POST", "/login", b"key=x&next=/"),
        ("GET", "/static/lethe.css", None),
        ("GET", "/livez", None),
    ]
    cases = [(*one, name, text) for one in asked for name in HEADERS for text in TEXTS]
    for method, target, content, name, text in some(cases, "headers"):
        ask(method, target, {**(JSON if content else {}), name: latin(text)}, content)
    assert ask.seen == SAMPLES


@pytest.mark.parametrize("host", ["[", "]", "[::1", "[::1]:x", "//[", "\xff", "127.0.0.1:99999999", ""])
def test_a_host_that_is_none(ask: Asker, host: str) -> None:
    for target in ("/v1/jobs", "/", "/login"):
        assert ask("GET", target, {"Host": host.encode("latin-1")}) in (200, 303, 400, 403)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[x]", "[", "http://]", "null", "\xff"])
def test_an_origin_that_is_none_is_another_sites(ask: Asker, origin: str) -> None:
    content = json.dumps(body()).encode()
    assert ask("POST", "/v1/jobs", {**JSON, "Origin": origin.encode("latin-1")}, content) == 403
    assert ask("POST", "/login", {**FORM, "Origin": origin.encode("latin-1")}, b"key=x") == 403


@pytest.mark.parametrize("target", ["//[", "http://[", "/\\[", "[", "//[::1", "/a//[", "\ud800", "\0"])
def test_a_place_to_go_on_at_that_is_none(ask: Asker, target: str) -> None:
    sent = quote(target.encode("utf-8", "surrogatepass"))
    assert ask("GET", f"/login?next={sent}") == 200
    assert ask("POST", "/login", FORM, f"key=x&next={sent}".encode()) in (303, 401)


def test_every_parameter(service: Service, ask: Asker, ids: dict[str, str]) -> None:
    cases = []
    for route in routes():
        for method in route.methods or ():
            names = re.findall(r"\{(\w+)", route.path)
            cases += [(route, method, {**ids, name: text}, "") for name in names for text in TEXTS if text]
            for name in (*queries(route), "unknown", "\ud800"):
                cases += [(route, method, ids, name, text) for text in TEXTS]
    assert len(cases) > 2000
    for route, method, known, *query in some(cases, "parameters"):
        escaped = {name: quote(value.encode("utf-8", "surrogatepass"), safe="") for name, value in known.items()}
        asked = "?" + urlencode([tuple(query)], errors="surrogatepass") if len(query) == 2 else ""
        ask(method, filled(route.path, escaped) + asked)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where another value can be put, the whole included."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, within in inside:
        yield from places(within, (*at, name))


def with_value(raw: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    copied = dict(raw) if isinstance(raw, dict) else list(raw)
    copied[at[0]] = with_value(raw[at[0]], at[1:], value)
    return copied


WHOLE = body(
    recipe={"lr_generator": 1e-4, "batch": 64, "start": "auto"},
    thresholds={"unlearning_accuracy": 0.9},
    evaluation={"images_per_concept": 100, "probes": []},
    retain={"prompts": ["a red apple"]},
    metadata={"ticket": "T-1"},
    seed=3,
    forget=[
        {"concept": "Sneaker", "override": {"prompts": ["a"]}, "words": ["a"], "prompts": ["b"]},
        {"concept": "Bag", "override": "Boot", "topic": {"subjects": ["a"], "keywords": ["b"]}},
    ],
    budget={"images": 6400, "seconds": 1.5, "until": "pass"},
)
BODIES: dict[str, Any] = {
    "/v1/jobs": WHOLE,
    "/v1/generators/{generator_id}/samples": {"concept": "Bag", "prompt": "x", "n": 1, "seed": 1, "format": "png"},
    "/v1/generators/{generator_id}/release": {"reason": "looked at by hand"},
}


@pytest.mark.parametrize("path", BODIES)
def test_every_field(ask: Asker, ids: dict[str, str], path: str) -> None:
    whole = BODIES[path]
    cases = [(at, value) for at in places(whole) for value in VALUES]
    for at in places(whole):
        inside = whole
        for part in at:
            inside = inside[part]
        if isinstance(inside, dict):  # and as the name of one more
            cases += [(at, {**inside, text: value}) for text in TEXTS for value in ("x", 10**400)]
    for at, value in some(cases, path):
        content = json.dumps(with_value(whole, at, value)).encode("utf-8", "surrogatepass")
        ask("POST", filled(path, ids), {**JSON, "Idempotency-Key": b"a-key"}, content)


RAW: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"base_model": "\xff"}',
    "UTF-16": '{"base_model": "fashion"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "nested lists": b"[" * 500_000,
    "nested objects": b'{"recipe":' * 100_000,
    "nested and closed": b'{"recipe":' * 900 + b"1" + b"}" * 900,
    "nested in a name that is known": b'{"base_model":"fashion","forget":' + b"[" * 400 + b"]" * 400 + b"}",
    "many digits": b'{"seed":' + b"9" * 500_000 + b"}",
    "names that are there twice": b'{"seed":1,"seed":2}',
    "words of other languages": b'{"seed":NaN,"budget":{"seconds":-Infinity}}',
}


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_is_none(ask: Asker, ids: dict[str, str], path: str) -> None:
    for content in RAW.values():
        for media in (b"application/json", b"text/plain", b"application/json; charset=utf-7", b"multipart/form-data"):
            assert ask("POST", filled(path, ids), {"Content-Type": media}, content) in (400, 409, 413, 415, 422)


def test_every_form(service: Service, ask: Asker, ids: dict[str, str]) -> None:
    forms = [route for route in routes() if "POST" in (route.methods or ()) and not route.path.startswith("/v1/")]
    assert len(forms) >= 5
    for route in forms:
        for name in ("key", "next", "reason", "unknown", "\ud800"):
            for text in TEXTS:
                content = urlencode([(name, text)], errors="surrogatepass").encode()
                ask("POST", filled(route.path, ids), FORM, content)
        ask("POST", filled(route.path, ids), FORM, b"%" * 1000 + b"\xff=\xfe&" * 1000)


def test_many_wrong_names_take_no_time(service: Service) -> None:
    """The time is the processor's, of this process, in which the service runs too."""
    for part in ({"recipe": {f"lr_generato{i}": 1 for i in range(40_000)}},
                 {f"budge{i}": 1 for i in range(40_000)},
                 {"metadata": {f"{i}": "x" for i in range(40_000)}},
                 {"thresholds": {f"unlearning_accurac{i}": 1 for i in range(30_000)}},
                 {"evaluation": {f"probe{i}": 1 for i in range(40_000)}},
                 {"forget": [{"concep": 1}] * 50_000},
                 {"forget": [{"concept": f"Sneake{i}", "override": f"Sanda{i}"} for i in range(1000)]},
                 {"forget": [{f"concep{j}": 1 for j in range(50)}] * 900}):  # fmt: skip
        content = json.dumps(body(**part))
        assert len(content) < 1 << 20
        began = time.process_time()
        answer = service.http.post("/v1/jobs", content=content, headers={"content-type": "application/json"})
        spent = time.process_time() - began
        assert answer.status_code == 422
        assert len(answer.content) < 200_000
        assert spent < 1, (list(part), spent)


def test_all_of_it_left_the_service_as_it_was(service: Service) -> None:
    assert submitted(service)
