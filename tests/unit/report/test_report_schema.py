"""The published schema of a report: it is a schema, strict, documented field by field, and reports hold to it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.probes import PROBES
from sfd_core.report.report import SCHEMA_VERSION, from_json, to_json
from sfd_core.report.schema import report_schema
from sfd_core.request.concepts import Budget
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.recipe import Recipe
from tests.support.sample_report import foreign_report, sample_report
from tests.support.sample_text_report import text_report, unjudged_report, zero_shot_report

SCHEMA = report_schema()
DOCUMENT = Path(__file__).resolve().parents[3] / "docs/report.md"


def errors(report: dict[str, Any]) -> list[str]:
    found = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(report)
    return [f"{error.json_path}: {error.message}" for error in found]


def parts(schema: Any, where: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every subschema with its place."""
    if isinstance(schema, dict):
        yield where, schema
        for key, value in schema.items():
            yield from parts(value, f"{where}/{key}")
    elif isinstance(schema, list):
        for i, value in enumerate(schema):
            yield from parts(value, f"{where}/{i}")


def test_it_is_a_schema_of_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION == 5


@pytest.mark.parametrize(
    "report",
    [
        sample_report(),
        sample_report({"Sneaker": "Sandal", "Trouser": {"random": True}, "Shirt": {"judge": True}}, seen=61, lost=0.2),
        sample_report(seen=0, n=10, per_concept=10, probes=()),
        foreign_report(),
        text_report(),
        zero_shot_report(),
        unjudged_report(),
    ],
    ids=["pass", "fail", "inconclusive", "foreign", "text", "zero-shot", "unjudged"],
)
def test_reports_hold_to_it_and_are_read_back_as_they_were_written(report: dict[str, Any]) -> None:
    assert errors(report) == []
    assert to_json(from_json(report)) == report


def test_it_is_strict() -> None:
    for where, part in parts(SCHEMA):
        if part.get("type") == "object" and "properties" in part and not where.endswith(OPEN):
            assert part["additionalProperties"] is False, where
            assert set(part["properties"]) - set(part["required"]) == LEFT_OUT.get(where.split("/")[-1], set()), where


LEFT_OUT = {"#": {"domain_verdicts", "further_domains"}, "Criterion": {"domain"}}
"""Fields that only a report on several domains has: all others are there, null where nothing was measured."""
OPEN = ("ResultsByProbe", "ReportThresholds")
"""By the names of what is registered."""


def test_every_class_and_every_field_says_what_it_is() -> None:
    asked = {"Recipe", "Budget"}  # of a request, which describes them itself
    for where, part in parts(SCHEMA):
        if "properties" not in part or where.split("/")[-1] in {*asked, *OPEN} or "override" in where:
            continue
        assert part["description"].endswith((".", "?")), where
        for name, field in part["properties"].items():
            if name != "override" and "override" not in part["properties"]:
                assert field.get("description", "").endswith((".", "...", "?")), f"{where}/{name}"


def broken(path: str, value: Any) -> dict[str, Any]:
    """A sample report with another ``value`` at ``path``; Ellipsis: without it."""
    report: Any = sample_report()
    *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    at = report
    for key in way:
        at = at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return report  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("surprise", 1),
        ("schema_version", 1),
        ("verdict", "certified"),
        ("criteria/0/measured/low", ...),
        ("criteria/0/name", "beauty"),
        ("judge/digest", "md5:1"),
        ("quality", {}),
        ("unlearning/0/seen", -1),
        ("retention/0/second_judge/base_model/value", "high"),
        ("probes/asked", ["guessing"]),
        ("probes/results/relearning/0/curves/0/network", "other"),
        ("scores/sha256", "0"),
        ("evaluators/0/role", "friend"),
        ("limits", ...),
        ("recipe/alpha", ...),
        ("created_at", 7),
        ("forget", []),
    ],
)
def test_it_refuses(path: str, value: Any) -> None:
    assert errors(broken(path, value))


def test_it_follows_the_request() -> None:
    def fields(of: type[Any]) -> set[str]:
        return {field.name for field in dataclasses.fields(of)}

    definitions = SCHEMA["$defs"]
    assert definitions["Recipe"]["properties"].keys() == fields(Recipe)
    assert definitions["Budget"]["properties"].keys() == fields(Budget)
    assert definitions["EvaluationPlan"]["properties"].keys() == fields(EvaluationPlan)
    assert definitions["ReportThresholds"]["properties"].keys() == CRITERIA.keys()
    assert definitions["Criterion"]["properties"]["name"]["enum"] == list(CRITERIA)
    assert definitions["ResultsByProbe"]["properties"].keys() == PROBES.keys()
    assert definitions["Probes"]["properties"]["asked"]["items"]["enum"] == list(PROBES)


def test_the_document_explains_every_field_of_a_report_and_none_that_is_not_there() -> None:
    text = DOCUMENT.read_text()
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", text, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert named == set(SCHEMA["properties"])
