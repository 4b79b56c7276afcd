"""Requests that schemathesis makes of the OpenAPI document, of every operation, with keys and without: nothing is
answered by 500 and no answer is off the document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.making import published, submitted
from tests.support.serving import Service

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KEYS = {"none": None, "wrong": "lethe_nonsense", "one that may everything": "admin"}


@pytest.mark.parametrize("key", list(KEYS))
def test_every_operation(
    guarded: Service,
    bearer: Callable[..., dict[str, str]],
    tmp_path: Path,
    key: str,
    full: bool,
    figure: Callable[[str], None],
) -> None:
    admin = bearer("admin", "metrics")
    hook = guarded.http.post("/v1/webhooks", json={"url": "https://hooks.example/"}, headers=admin).json()
    generator_id = published(guarded, tmp_path, headers=admin)
    (delivery,) = guarded.http.get(hook["links"]["deliveries"], headers=admin).json()["data"]
    known = {"job_id": submitted(guarded, admin), "generator_id": generator_id, "name": "fashion"}
    known |= {"webhook_id": hook["id"], "delivery_id": delivery["id"]}
    secret = KEYS[key]
    headers = admin if secret == "admin" else {"Authorization": f"Bearer {secret}"} if secret else {}
    schema = schemathesis.openapi.from_url(f"{guarded.url}/openapi.json")
    sent: list[int] = []
    operations = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path.endswith("/events"):  # a stream that waits for what comes; tests/api/test_events.py
            continue
        operations += 1

        @seed(27)
        @settings(
            max_examples=100 if full else 4,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def hold(case: Any) -> None:
            if len(sent) % 2:  # what is there, and not only what is not
                case.path_parameters = {**(case.path_parameters or {}), **_of(case, known)}
            answer = case.call(headers=headers, timeout=30)
            sent.append(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        hold()
    assert operations >= 15
    assert max(sent) < 500
    if secret == "admin":
        assert min(sent) < 300
    else:
        assert {status for status in sent if status < 300} <= {200}, "nothing was made without a key"
    figure(f"{key} key: {len(sent)} requests of {operations} operations, 0 answers >= 500, 0 off the document")


def _of(case: Any, known: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in known.items() if f"{{{name}}}" in case.operation.path}
