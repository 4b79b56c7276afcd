"""One real run of the tiny model, its results laid out as an archive, with a record that is signed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sfd_core.base_model.manifest import BaseModel
from tests.record.case import Case, make_case
from tests.support.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def original(tiny_model: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The case that tests copy and never change."""
    torch.set_num_threads(1)
    return make_case(tiny_model, tmp_path_factory.mktemp("case"))


@pytest.fixture
def case(original: Case, tmp_path: Path) -> Case:
    """A copy of this test's own."""
    return original.copy(tmp_path / "copy")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny tensors: a second thread only waits for the first."""
    torch.set_num_threads(1)
