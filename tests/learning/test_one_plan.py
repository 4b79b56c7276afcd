"""A text job plans its prompts once in a process: in admission, which hands the plan on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfd_core import admission
from sfd_core.admission import admit
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.reading import written
from sfd_core.run import Finished, unlearn
from tests.support.tiny_text_model import make_tiny_text_model

BODY: dict[str, Any] = {
    "forget": [{"concept": "pistol", "override": {"prompts": ["a banana"]}}],
    "retain": {"prompts": ["a red apple", "an old castle"]},
    "budget": {"images": 4},
    "evaluation": {"images_per_concept": 2, "images_per_forgotten_concept": 2},
    "recipe": {"batch": 4},
}


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[PromptPlan]:
    """Every plan that is made. Nothing but admission may import what makes them."""
    made: list[PromptPlan] = []
    original = admission.plan_prompts
    monkeypatch.setattr(admission, "plan_prompts", lambda *asked: made.append(original(*asked)) or made[-1])
    return made


def test_a_whole_text_run_plans_once(tmp_path: Path, planned: list[PromptPlan]) -> None:
    model = make_tiny_text_model(tmp_path / "model")
    admitted = admit(BODY, model)
    *_, last = unlearn(admitted, tmp_path / "out", device="cpu")
    assert isinstance(last, Finished)
    assert planned == [admitted.plan]


def test_the_training_process_plans_the_same_from_what_was_stored(tmp_path: Path, planned: list[PromptPlan]) -> None:
    model = make_tiny_text_model(tmp_path / "model")
    submitted = admit(BODY, model)
    again = admit(written(submitted.request), model)
    assert again == submitted
    assert len(planned) == 2


def test_only_admission_plans() -> None:
    core = Path(admission.__file__).parent
    callers = {path.relative_to(core).as_posix() for path in core.rglob("*.py") if "plan_prompts(" in path.read_text()}
    # A first stage forgets nothing: no request is admitted for it.
    assert callers == {"admission.py", "prompts/plan.py", "adding/distilling.py"}
