"""The families that there are, and that nothing outside their folders asks which one a model is of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sfd_core
from sfd_core.families.description import Description
from sfd_core.families.protocol import Family
from sfd_core.families.registry import NAMES, describe, family_of, family_of_published, hub_layouts

ROOT = Path(sfd_core.__file__).parents[1]
FAMILIES = Path(sfd_core.__file__).parent / "families"
CODE = ("sfd_core", "api", "jobs", "worker", "cli", "client", "local")


def test_every_folder_is_a_family_and_every_family_a_folder() -> None:
    assert {path.parent.name for path in FAMILIES.glob("*/family.py")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_both_halves_are_there(name: str) -> None:
    description, family = describe(name), family_of(name)
    assert isinstance(description, Description)
    assert description.name == name
    for member in (member for member in vars(Family) if not member.startswith("_")):
        assert hasattr(family, member), member
    for pipeline in description.pipelines:
        index = {"_class_name": pipeline, "scheduler": ["diffusers", description.one_step_scheduler]}
        assert family_of_published(index) is description
    for layout in description.hubs:
        assert layout in hub_layouts()
        assert layout.family == name


def test_an_unknown_family_is_a_key_error() -> None:
    for look in (describe, family_of):
        with pytest.raises(KeyError):
            look("gan")
    scheduler = ["diffusers", "EulerDiscreteScheduler"]
    assert family_of_published({"_class_name": "GanPipeline", "scheduler": scheduler}) is None
    assert family_of_published({"_class_name": "ClassConditionalPipeline"}) is None


def test_no_code_outside_the_folders_names_a_family() -> None:
    """Neither in a branch nor to import from its folder."""
    quoted = re.compile("|".join(rf"""["']{name}["']|families\.{name}\b""" for name in NAMES))
    naming = [
        f"{path.relative_to(ROOT)}:{i}: {line.strip()}"
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        if FAMILIES not in path.parents
        for i, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if quoted.search(line)
    ]
    assert naming == []
