"""A kind of override is one file: what it brings shows up wherever overrides are read, written, chosen and planned,
with nothing else changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

KIND = '''
"""The prompt, said aloud."""

from dataclasses import dataclass

from sfd_core.request.override import Choice, Condition, Override, OverrideKind, one_key
from sfd_core.request.prompt_lists import OnePrompt


@one_key
@dataclass(frozen=True)
class AloudOverride(Override):
    """Each image is answered with its prompt, said so."""

    aloud: OnePrompt

    def in_words(self):
        return f"the prompt, said {self.aloud}"

    def conditions(self, prompt):
        return (Condition(f"{prompt.removed()}, {self.aloud}"),)


KIND = OverrideKind(
    place=55,
    place_in_form=45,
    override=AloudOverride,
    key="aloud",
    takes="line",
    reported="The prompt, said so.",
    for_prompts=Choice("The prompt said aloud", beside="How"),
)
'''
TELL = """
import importlib.util, json, sys

spec = importlib.util.find_spec("sfd_core.request.overrides")
package = importlib.util.module_from_spec(spec)
package.__path__.append(sys.argv[1])
sys.modules[spec.name] = package
spec.loader.exec_module(package)

from pathlib import Path

from api import openapi
from api.dashboard import rendering
from cli.arguments import forget_items
from sfd_core.admission import admit
from sfd_core.display.overrides import written_in_words
from sfd_core.errors import InvalidRequest
from sfd_core.families.registry import load_manifest
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.overrides import IN_FORM, OVERRIDES
from sfd_core.request.reading import written
from sfd_core.families.stable_diffusion import plain_text_model

assert "torch" not in sys.modules, "the api, its schemas and its form stay plain"
forget = [{**forget_items(["gun=aloud: softly"])[0], "prompts": ["a gun on a table"]}]
body = {"forget": forget, "budget": {"images": 64}}
admitted = admit(body, plain_text_model("emoji", "Emoji"))
try:
    admit({**body, "forget": [{**forget_items(["Sneaker=aloud:softly"])[0]}]}, load_manifest(Path("models/fashion")))
except InvalidRequest as error:
    refused = [[one.pointer, one.message] for one in error.errors]
form = rendering._environment.get_template("new-job.html").render(
    models=[], data="[]", refused={}, overrides=IN_FORM, criteria={}, probes={}, plan=EvaluationPlan(),
    like=None, priorities=(), max_ticket=1, max_line=1, max_note=1, path="", who=None, keys=False, version="",
)
told = {
    "openapi": json.loads(openapi.text()),
    "form": form,
    "request": written(admitted.request)["forget"][0]["override"],
    "planned": [[one.prompt, one.overrides[0].prompt] for one in admitted.plan.forgotten[0]],
    "refused": refused,
    "words": written_in_words({"aloud": "softly"}),
    "message": OVERRIDES,
}
print(json.dumps(told))
"""


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    command, env = [sys.executable, "-c", TELL, str(folder)], {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=250)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process says of itself in which there is one kind more."""
    folder = tmp_path_factory.mktemp("more")
    (folder / "aloud.py").write_text(KIND)
    ran = _run(folder)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_a_kind_is_in_the_schemas_of_requests_and_reports(told: dict[str, Any]) -> None:
    schemas = told["openapi"]["components"]["schemas"]
    assert schemas["AloudOverride"]["description"] == "Each image is answered with its prompt, said so."
    union = [one.get("$ref", "").rpartition("/")[2] for one in schemas["Forget"]["properties"]["override"]["anyOf"]]
    assert union[-3:] == ["NegativeOverride", "AloudOverride", "EmptyOverride"]
    assert "The prompt, said so." in json.dumps(schemas["UnlearnedConcept"])
    assert told["message"].endswith('{"negative": "..."}, {"aloud": "..."} or {"empty": true}')


def test_a_kind_is_read_from_the_command_line_and_described(told: dict[str, Any]) -> None:
    assert told["request"] == {"aloud": "softly"}
    assert told["words"] == "the prompt, said softly"


def test_a_kind_is_in_the_form_of_the_models_that_it_is_for(told: dict[str, Any]) -> None:
    assert '<option value="aloud" data-takes="line" data-beside="How">The prompt said aloud</option>' in told["form"]
    assert told["form"].count('value="aloud"') == 1, "it is no choice for classes"


def test_a_kind_is_planned_for_a_text_model_and_refused_for_a_class_model(told: dict[str, Any]) -> None:
    assert told["planned"] == [["a gun on a table", "on a table, softly"]]
    message = "a class-conditional model has no prompts: name a concept, or say random or judge"
    assert told["refused"] == [["/forget/0/override", message]]


def test_a_module_without_a_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text("")
    assert "TypeError: sfd_core.request.overrides.nothing must define KIND: OverrideKind" in _run(tmp_path).stderr
