"""What the documents say of this repository: links lead somewhere, code compiles, commands and settings exist."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from api.schemas.submission import Submission
from cli.commands.submit import submit
from cli.commands.unlearn import unlearn
from cli.main import app
from jobs.settings import Settings
from sfd_core.admission import admit
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.probes import PROBES
from sfd_core.families.stable_diffusion import plain_text_model
from sfd_core.request.overrides import read_override, written_override
from sfd_core.request.reading import read, written
from tests.unit.admission.test_request import MODEL

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("models/*/README.md"),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_python_blocks_compile(document: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL):
        compile(block, str(document), "exec")


def test_the_readme_names_settings_and_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    known = {f"LETHE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"LETHE_[A-Z_]+", text)) <= known
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.name for group in app.registered_groups if group.name}
    assert set(re.findall(r"`?(?:\.venv/bin/)?lethe ([a-z]+)\b", text)) <= commands


def test_what_a_base_model_needs_is_documented_field_by_field() -> None:
    text = (ROOT / "docs/base-models.md").read_text()
    manifest = (ROOT / "models/fashion/manifest.json").read_text()
    for name in json.loads(manifest):
        assert f"`{name}`" in text, name


def test_every_criterion_and_probe_is_documented() -> None:
    report, readme = (" ".join((ROOT / name).read_text().split()) for name in ("docs/report.md", "README.md"))
    assert [name for name in (*CRITERIA, *PROBES) if f"**`{name}`**" not in report] == []
    listed = next(re.finditer(r"probes can be asked for: ([^.]*)\.", readme))[1].replace("-", " ")
    assert [name for name in PROBES if name.replace("_", " ") not in listed] == []


def test_every_recipe_key_can_be_set() -> None:
    """The keys that ``docs/recipes.md`` names in its runs are keys of a recipe."""
    text = (ROOT / "docs/recipes.md").read_text()
    body = {"forget": [{"concept": "a", "override": "b"}], "budget": {"images": 640}}
    known = set(written(admit(body, MODEL).request)["recipe"])
    named = set(re.findall(r"`([a-z_]+)` [0-9]", text))
    assert named
    assert named <= known


def test_requests_in_words_that_are_documented_are_taken() -> None:
    text = (ROOT / "docs/forgetting.md").read_text()
    requests = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert requests
    for body in requests:
        read(Submission, body)
        assert admit(body, plain_text_model("emoji", "Emoji")).request.forget
    for override in re.findall(r"^\| `([\"{].*?)` \|", text, re.MULTILINE):
        assert written_override(read_override(json.loads(override))) == json.loads(override)
    known = {
        f"--{name.replace('_', '-')}" for command in (submit, unlearn) for name in inspect.signature(command).parameters
    }
    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", text)) <= known


def test_what_a_text_model_needs_is_documented_field_by_field() -> None:
    text = (ROOT / "docs/base-models.md").read_text()
    for name in (
        "vocabulary",
        "domains",
        "distilled",
        "recipe",
        "templates",
        "unseen_templates",
        "synonyms",
        "adjective",
    ):
        assert f"`{name}`" in text, name


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", (ROOT / "docs/threat-model.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).is_file()] == []
