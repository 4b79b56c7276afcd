"""A whole run that forgets an object and a style: one generator, one report, a verdict for each domain."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from rich.console import Console
from safetensors.numpy import load_file

from api.dashboard.rendering import domains
from cli.tables import reasons, report_table
from client.answers import read
from client.reports import Report
from sfd_core.admission import admit
from sfd_core.evaluation import own_check
from sfd_core.evaluation.evaluate import Measurement, evaluate
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.intervals import wilson, z_of_all
from sfd_core.evaluation.own_check import OwnCheck
from sfd_core.evaluation.subject import ImageSource
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of
from sfd_core.report.by_domain import by_domain
from sfd_core.report.examine import examine
from sfd_core.report.page import SEVERAL_DOMAINS
from sfd_core.report.report import from_json, to_json
from sfd_core.report.schema import report_schema
from sfd_core.request.parent import Earlier, Measured, Parent
from sfd_core.run import Finished, unlearn
from tests.support.tiny_text_model import T_INIT, make_tiny_text_model
from worker.publication import summary

BODY = {
    "forget": [{"concept": "pistol", "override": "banana"}, {"concept": "style:noto", "override": "fluent"}],
    "budget": {"images": 8},
    "evaluation": {"images_per_concept": 3, "images_per_forgotten_concept": 5},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    model = make_tiny_text_model(tmp_path_factory.mktemp("known"), domains=True)
    *_, last = unlearn(admit(BODY, model), tmp_path_factory.mktemp("run"))
    assert isinstance(last, Finished)
    return last


@pytest.fixture(scope="module")
def report(finished: Finished) -> dict[str, Any]:
    return finished.report


def test_the_report_has_a_verdict_for_each_domain_and_the_worst_for_the_job(report: dict[str, Any]) -> None:
    jsonschema.validate(report, report_schema())
    assert list(report["domain_verdicts"]) == ["object", "style"]
    assert (report["domain"], [each["domain"] for each in report["further_domains"]]) == ("object", ["style"])
    order = ("fail", "inconclusive", "pass")
    assert report["verdict"] == min(report["domain_verdicts"].values(), key=order.index)
    for domain, verdict in report["domain_verdicts"].items():
        own = {c["decision"] for c in report["criteria"] if c["domain"] == domain}
        assert verdict == min(own, key=order.index)
    assert [c["about"] for c in report["criteria"] if c["name"] == "unlearning_accuracy"] == ["pistol", "noto"]
    for measured in [c["measured"] for c in report["criteria"] if c["name"] == "unlearning_accuracy"]:
        of_both = wilson(round(measured["value"] * measured["n"]), measured["n"], z_of_all(2))
        assert (measured["low"], measured["high"]) == (of_both.low, of_both.high)
    assert [row["concept"] for row in report["unlearning"]] == ["pistol"]
    (style,) = report["further_domains"]
    assert [row["concept"] for row in style["unlearning"]] == ["noto"]
    assert [row["concept"] for row in style["retention"]] == ["fluent"]
    assert {"pairs", "pairs_style", "pairs_style_narrow"} <= report["pictures"].keys()
    assert SEVERAL_DOMAINS in report["limits"]


def test_each_domain_reads_as_a_report_of_its_own(report: dict[str, Any]) -> None:
    typed = from_json(report)
    assert to_json(typed) == report
    first, second = map(to_json, by_domain(typed))
    for part, domain, concept in ((first, "object", "pistol"), (second, "style", "noto")):
        jsonschema.validate(part, report_schema())
        assert (part["domain"], part["verdict"]) == (domain, report["domain_verdicts"][domain])
        assert [item["concept"] for item in part["forget"]] == [concept]
        assert not part.keys() & {"domain_verdicts", "further_domains"}
    assert [row["concept"] for row in summary(report)["unlearning"]] == ["pistol", "noto"]


def test_what_is_kept_forgotten_in_any_domain_is_at_the_top(tmp_path: Path) -> None:
    """The new concept lies in the first domain, where nothing is kept."""
    model = make_tiny_text_model(tmp_path / "known", domains=True)
    admitted = admit({**BODY, "forget": BODY["forget"][::-1]}, model)
    parent = Parent("gen_1", "0" * 64, ("pistol",), 625, 1, (Earlier("gen_1", {"pistol": Measured(0.9, 0.8, 1.0)}),))
    request, base = dataclasses.replace(admitted.request, parent=parent), load_base(admitted.model)
    generator = family_of(model.family).generator(base.network, base, T_INIT, 1)
    source, device = ImageSource.of_generator(generator), torch.device("cpu")
    *_, (_, _, draft) = examine(source, base, Evaluators.load(base.model), request, device, admitted.plan)
    assert draft is not None
    report = to_json(draft.report)
    assert report["domain"] == "style"
    (row,) = report["kept_forgotten"]
    assert (row["concept"], [one["generator"] for one in row["accuracy"]]) == ("pistol", ["gen_1", None])
    (objects,) = report["further_domains"]
    assert objects["kept_forgotten"] == [row]
    styles, of_objects = map(to_json, by_domain(draft.report))
    assert (styles["kept_forgotten"], of_objects["kept_forgotten"]) == (None, [row])


def test_a_run_checks_itself_by_the_intervals_of_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those hold for what is forgotten in both domains."""
    admitted = admit(BODY, make_tiny_text_model(tmp_path / "known", domains=True))
    base, device = load_base(admitted.model), torch.device("cpu")
    check = OwnCheck(base, Evaluators.load(base.model), admitted.request, admitted.plan, device)
    measured: list[int] = []

    def looked(*given: Any, in_all: int, **asked: Any) -> Iterator[tuple[int, int, Measurement | None]]:
        for one in evaluate(*given, in_all=in_all, **asked):
            measured.extend([one[2].evidence.looked_at] if one[2] is not None else [])
            yield one

    monkeypatch.setattr(own_check, "evaluate", looked)
    generator = family_of(base.model.family).generator(base.network, base, T_INIT, 1)
    for domain in check.domains:
        for _ in domain(generator, 1, 0):
            pass
    assert measured == [2, 2]


def test_every_file_of_both_domains_is_there_and_the_page_names_each_place_once(
    finished: Finished, report: dict[str, Any]
) -> None:
    folder = finished.report_folder
    (style,) = report["further_domains"]
    assert style["scores"]["file"] == "scores-style.safetensors"
    asked = load_file(folder / style["scores"]["file"])["asked"]
    assert Counter(asked.tolist()) == {0: 5, 1: 3}, "of noto and of fluent"
    page = (folder / "report.html").read_text()
    places = re.findall(r'\bid="([^"]+)"', page)
    assert Counter(places).most_common(1)[0][1] == 1
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(places)
    assert "Unlearning “pistol”, “noto”" in page
    assert "Measured in the domain “style”" in page
    card = (finished.generator / "README.md").read_text()
    assert "| noto |" in card
    assert json.loads((folder / "report.json").read_text()) == report


def test_the_command_and_the_job_page_show_each_domain(report: dict[str, Any]) -> None:
    typed, screen = read(Report, report), Console(width=200, file=io.StringIO())
    screen.print(report_table(typed))
    assert isinstance(screen.file, io.StringIO)
    shown = screen.file.getvalue()
    verdicts = report["domain_verdicts"]
    assert f"object: {verdicts['object']}, style: {verdicts['style']}" in shown
    assert all(row in shown for row in ("pistol -> banana", "noto -> fluent"))
    assert any(": style: " in reason for reason in reasons(typed))
    assert [(each["domain"], each["domain_verdict"]) for each in domains(report)] == list(verdicts.items())
    (alone,) = domains({"domain": "object", "unlearning": []})
    assert alone["domain_verdict"] is None
