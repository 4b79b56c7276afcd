"""What the images install is locked: every requirement of ``pyproject.toml`` at one version that it allows, with
hashes, and from no place that is named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
WORKER = ("worker", "nsfw", "s3")
EXTRAS = {"api": ("s3",), "worker": WORKER, "worker-cpu": WORKER}
"""By lock, the extras that its image installs."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(?P<version>\S+)(?P<rest>(?:.*\n?)(?:[ ].*\n?)*)", re.MULTILINE
)


def wanted(project: Mapping[str, Any], lock: str) -> list[Requirement]:
    """The requirements of an image."""
    extras = [each for extra in EXTRAS[lock] for each in project["optional-dependencies"][extra]]
    return [Requirement(each) for each in (*project["dependencies"], *extras)]


def faults(lock: str, text: str, project: Mapping[str, Any] = PROJECT) -> list[str]:
    """What is wrong with a lock."""
    entries = {each["name"]: each for each in _ENTRY.finditer(text)}
    found = [f"names a place: {line}" for line in text.splitlines() if "://" in line or line.startswith("--")]
    found += [f"{name} has no hash" for name, each in entries.items() if "--hash=sha256:" not in each["rest"]]
    names = {canonicalize_name(each.name): each for each in wanted(project, lock)}
    for name, requirement in names.items():
        if name not in entries:
            found.append(f"{requirement} is not locked")
        elif not requirement.specifier.contains(entries[name]["version"]):
            found.append(f"{requirement} is locked at {entries[name]['version']}")
    direct = {name for name, each in entries.items() if "lethe (pyproject.toml)" in each["rest"]}
    return found + [f"{name} is no requirement any more" for name in sorted(direct - set(names))]


@pytest.mark.parametrize("lock", EXTRAS)
def test_a_lock_agrees_with_the_project(lock: str) -> None:
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    assert len(_ENTRY.findall(text)) == text.count("==")
    assert faults(lock, text) == []


def test_every_lock_is_of_an_image() -> None:
    assert {path.stem for path in (ROOT / "locks").iterdir()} == set(EXTRAS)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes --requirement locks/api.txt" in dockerfile
    assert '--require-hashes --requirement "locks/${LOCK}.txt"' in dockerfile


def test_no_image_for_the_api_or_a_cpu_brings_cuda() -> None:
    cuda = re.compile(r"^(nvidia-|cuda-|triton)", re.MULTILINE)
    assert {lock for lock in EXTRAS if cuda.search((ROOT / "locks" / f"{lock}.txt").read_text())} == {"worker"}
    assert not re.search("^torch==", (ROOT / "locks" / "api.txt").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: re.sub(r"^fastapi==\S+", "fastapi==0.1", text, flags=re.MULTILINE), "is locked at 0.1"),
        (lambda text: re.sub(r"^(fastapi==\S+).*\n( +--hash.*\n)+", r"\1\n", text, flags=re.M), "fastapi has no hash"),
        (lambda text: text.replace("fastapi==", "slowapi=="), "fastapi==0.165.0 is not locked"),
        (lambda text: text.replace("fastapi==", "slowapi=="), "slowapi is no requirement any more"),
        (lambda text: "--index-url https://example.org/simple\n" + text, "names a place"),
    ],
)  # fmt: skip
def test_a_lock_that_disagrees_is_found(spoil: Any, said: str) -> None:
    assert said in "\n".join(faults("api", spoil((ROOT / "locks" / "api.txt").read_text())))


def test_a_requirement_that_is_not_locked_yet_is_found() -> None:
    grown = {**PROJECT, "dependencies": [*PROJECT["dependencies"], "left-pad>=1"]}
    assert faults("api", (ROOT / "locks" / "api.txt").read_text(), grown) == ["left-pad>=1 is not locked"]
