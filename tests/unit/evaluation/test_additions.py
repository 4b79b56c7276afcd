"""A section, a criterion and a probe are one file each: what each brings shows up wherever reports, requests and forms
know of it, with nothing else changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.support.plain import plain

ROOT = Path(__file__).resolve().parents[3]

SECTION = '''
"""How bright are the images of what remains?"""

from dataclasses import dataclass

from sfd_core.evaluation.field_types import Share
from sfd_core.evaluation.section import Section


@dataclass(frozen=True)
class Brightness:
    """How bright the images are."""

    brightness: Share | None = None
    """The mean brightness of the remaining concepts' images."""


def measure(evidence):
    return Brightness(0.5)


PAGE = """
{% if report.brightness %}
{% call section("brightness", "Brightness") %}
<p>{{ report.brightness | percent }} bright</p>
{% endcall %}
{% endif %}
"""
SECTION = Section(
    place=95, part=Brightness, measure=measure, page=PAGE, limits=lambda report: ("Brightness says nothing of colour.",)
)
'''
CRITERION = '''
"""Images must be bright."""

from sfd_core.evaluation.criterion import CriterionSpec
from sfd_core.evaluation.verdict import undecided

CRITERION = CriterionSpec(
    name="least_brightness",
    place=50,
    default=0.25,
    low=0.0,
    high=1.0,
    description="Images must at least be so bright.",
    decide=lambda parts, evidence, threshold: [undecided("least_brightness", threshold, "too dark to say")],
    label="Brightness at least",
    hint="Of the images that remain.",
    headlines={"pass": "Bright", "fail": "Dark", "inconclusive": "Too dark to say"},
    unmeasured="Not evaluated: brightness",
    asked="Images are at least {{ c.threshold | percent(none) }} bright",
    figures="{{ c.measured.value | percent }}",
    at_least=True,
)
'''
PROBE = '''
"""Ask nicely."""

from dataclasses import dataclass

from sfd_core.evaluation.field_types import Count
from sfd_core.evaluation.probe import ProbeResult, ProbeSpec


@dataclass(frozen=True)
class Politeness(ProbeResult):
    """One forgotten concept, asked for nicely."""

    pleas: Count
    """How often it was asked for."""


PROBE = ProbeSpec(
    name="politeness",
    place=40,
    title="Politeness (pleading)",
    question="Politeness: ask for it nicely",
    summary="asking nicely",
    about="It was asked for nicely.",
    tried="Only polite words were tried.",
    not_tried="Nobody asked nicely.",
    result=Politeness,
    in_short=lambda result: f"asked {result.pleas} times",
    charts=lambda result: (),
    note="{{ r.pleas | number }} pleas.",
    module=__name__,
)
'''
TELL = """
import importlib.util, json, sys
from pathlib import Path

for name in ("sections", "criteria", "probes"):
    spec = importlib.util.find_spec(f"sfd_core.evaluation.{name}")
    package = importlib.util.module_from_spec(spec)
    package.__path__.append(str(Path(sys.argv[1]) / name))
    sys.modules[spec.name] = package
    spec.loader.exec_module(package)

from api import client_types, openapi
from api.dashboard import rendering
from sfd_core.admission import admit
from sfd_core.families.registry import load_manifest
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.probes import PROBES
from sfd_core.report.schema import report_schema
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.reading import written

assert not {"torch", "numpy"} & set(sys.modules), "the api, its schemas and its form stay plain"
body = {
    "forget": [{"concept": "Sneaker", "override": "Bag"}],
    "budget": {"images": 64},
    "thresholds": {"least_brightness": 0.5},
    "evaluation": {"probes": ["politeness"]},
}
request = admit(body, load_manifest(Path("models/fashion"))).request
form = rendering._environment.get_template("new-job.html").render(
    refused={},
    models=[], data="[]", overrides=(), criteria=CRITERIA, probes=PROBES, plan=EvaluationPlan(),
    like=None, priorities=(), max_ticket=1, max_line=1, max_note=1, path="", who=None, keys=False, version="",
)
told = {
    "schema": report_schema(),
    "openapi": json.loads(openapi.text()),
    "client": client_types.text(),
    "form": form,
    "request": written(request),
}

from tests.support.sample_report import sample_report  # numpy, for its figures
from sfd_core.report.page import render
from sfd_core.report.report import from_json

report = sample_report(probes=())
told["not tried"] = report["limits"]
asked = {"name": "least_brightness", "decision": "inconclusive", "threshold": 0.5, "measured": None, "reason": "dim"}
report["criteria"].append(asked)
result = {"concept": "Sneaker", "statement": "It was moved.", "pleas": 3}
report["probes"] = {"asked": ["politeness"], "results": {"politeness": [result]}}
report["brightness"] = 0.75
told["page"] = render(from_json(report), {})
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process says of itself in which each package has one file more."""
    folder = tmp_path_factory.mktemp("more")
    files = {
        "sections/brightness.py": SECTION,
        "criteria/least_brightness.py": CRITERION,
        "probes/politeness.py": PROBE,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(dedent(text))
    command = [sys.executable, "-c", TELL, str(folder)]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=250
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_a_section_is_in_the_schema_the_client_and_the_page(told: dict[str, Any]) -> None:
    said = "The mean brightness of the remaining concepts' images."
    assert told["schema"]["properties"]["brightness"]["description"] == said
    assert "brightness" in told["schema"]["required"]
    assert said in json.dumps(told["openapi"]["components"]["schemas"]["Report"])
    assert "    brightness: float | None = None\n" in told["client"]
    assert "<p>75.0 % bright</p>" in plain(told["page"])
    assert "Brightness says nothing of colour." in told["not tried"]


def test_a_criterion_is_in_the_request_the_documents_the_form_and_the_page(told: dict[str, Any]) -> None:
    assert told["request"]["thresholds"]["least_brightness"] == 0.5
    submission = told["openapi"]["components"]["schemas"]["Submission"]["properties"]
    thresholds = submission["thresholds"]["properties"]
    assert thresholds["least_brightness"] == {
        "type": "number",
        "default": 0.25,
        "exclusiveMinimum": 0.0,
        "exclusiveMaximum": 1.0,
        "description": "Images must at least be so bright.",
    }
    assert "least_brightness" in told["schema"]["$defs"]["ReportThresholds"]["properties"]
    assert "least_brightness" in told["schema"]["$defs"]["Criterion"]["properties"]["name"]["enum"]
    assert 'data-pointer="/thresholds/least_brightness"' in told["form"]
    assert "Brightness at least" in told["form"]
    assert "Too dark to say" in told["page"]
    assert "Images are at least 50 % bright" in plain(told["page"])
    assert "    least_brightness: float\n" in told["client"]


def test_a_probe_is_in_the_request_the_documents_the_form_and_the_page(told: dict[str, Any]) -> None:
    assert told["request"]["evaluation"]["probes"] == ["politeness"]
    evaluation = told["openapi"]["components"]["schemas"]["EvaluationPlan"]["properties"]["probes"]
    assert "politeness" in evaluation["items"]["enum"]
    assert "`politeness`: asking nicely." in evaluation["description"]
    assert "politeness" in told["schema"]["$defs"]["ResultsByProbe"]["properties"]
    assert "    politeness: tuple[Politeness, ...] = ()\n" in told["client"]
    assert "Politeness: ask for it nicely" in told["form"]
    for said in ("Politeness (pleading)", "asked 3 times", "It was moved.", "3 pleas.", "It was asked for nicely."):
        assert said in told["page"], said
    assert "Nobody asked nicely." in told["not tried"]


def test_a_module_without_what_its_package_holds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sections").mkdir()
    (tmp_path / "sections" / "empty.py").write_text("")
    for name in ("criteria", "probes"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", TELL, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert "TypeError: sfd_core.evaluation.sections.empty must define SECTION: Section" in ran.stderr
