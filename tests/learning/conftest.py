"""A tiny base model for the session: runs on it take milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.request.unlearning_request import UnlearningRequest
from tests.support.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_base(tiny_model: BaseModel) -> LoadedBase:
    return load_base(tiny_model)


@pytest.fixture
def request_for(tiny_model: BaseModel) -> Callable[..., UnlearningRequest]:
    """A request on the tiny model: four steps of eight images unless said otherwise."""

    def make(recipe: dict[str, Any] | None = None, **fields: Any) -> UnlearningRequest:
        body = {
            "forget": [{"concept": "red", "override": "green"}],
            "budget": {"images": 32},
            "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
            "recipe": {"batch": 8, "forgotten_share": 0.25, "lr_generator": 1e-3, **(recipe or {})},
        }
        return admit(body | fields, tiny_model).request

    return make


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny tensors: a second thread only waits for the first."""
    torch.set_num_threads(1)
