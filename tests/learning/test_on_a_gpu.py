"""What only a GPU shows: that everything of a run lies on one device, and that what it publishes opens anywhere.

Skipped where there is none.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sfd_core.admission import Admitted, admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.loading import load_generator
from sfd_core.families.registry import load_manifest
from sfd_core.prepared import Checkpoints
from sfd_core.run import CheckpointSaved, Finished, Progress, unlearn
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_text_model import make_tiny_text_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

FORGET = {"classes": ("red", "green"), "words": ("pistol", "banana")}
ADAPTERS = {"lora_rank_generator": 2, "lora_rank_fake_score": 2, "start": "base_model", "gradient_checkpointing": True}


@pytest.fixture(scope="module", params=FORGET)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[BaseModel, dict[str, Any]]:
    """A tiny model of either family and a request on it."""
    folder = tmp_path_factory.mktemp(request.param)
    model = make_tiny_model(folder) if request.param == "classes" else make_tiny_text_model(folder, domains=True)
    concept, override = FORGET[request.param]
    return load_manifest(model.folder), {
        "forget": [{"concept": concept, "override": override}],
        "budget": {"images": 32},
        "evaluation": {"images_per_concept": 12, "images_per_forgotten_concept": 12},
        "recipe": {"batch": 8},
    }


def admitted(model: BaseModel, body: dict[str, Any], **recipe: Any) -> Admitted:
    return admit({**body, "recipe": {**body["recipe"], **recipe}}, model)


def finished(asked: Admitted, out: Path, **options: Any) -> Finished:
    *_, last = unlearn(asked, out, device="cuda", **options)
    assert isinstance(last, Finished)
    return last


@pytest.mark.parametrize("recipe", [{}, {"precision": "fp32"}, {"micro_batch": 2}], ids=str)
def test_a_whole_run_is_trained_evaluated_and_published(
    asked: tuple[BaseModel, dict[str, Any]], recipe: dict[str, Any], tmp_path: Path
) -> None:
    last = finished(admitted(*asked, **recipe), tmp_path)
    cost = last.report["cost"]
    assert cost["device"] == torch.cuda.get_device_name()
    assert 0 < cost["peak_memory_bytes"] < 10**9
    assert last.report["unlearning"][0]["n"] == 12


@pytest.mark.parametrize("asked", ["words"], indirect=True)
def test_adapters_train_on_a_gpu(asked: tuple[BaseModel, dict[str, Any]], tmp_path: Path) -> None:
    last = finished(admitted(*asked, **ADAPTERS), tmp_path)
    assert last.report["text"]["start"] == "base_model"


def test_what_a_gpu_published_opens_on_a_cpu_and_draws_the_same(
    asked: tuple[BaseModel, dict[str, Any]], tmp_path: Path
) -> None:
    folder = finished(admitted(*asked), tmp_path).generator
    override = asked[1]["forget"][0]["override"]
    on_gpu, on_cpu = (load_generator(folder, device).sample(override, 4, seed=3) for device in ("cuda", "cpu"))
    # Kernels round differently: a value of 255 now and then falls on the other side.
    assert np.abs(on_gpu.astype(int) - on_cpu).max() <= 2
    assert len(np.unique(on_cpu)) > 10


def test_a_run_goes_on_from_a_checkpoint_that_a_gpu_wrote(
    asked: tuple[BaseModel, dict[str, Any]], tmp_path: Path
) -> None:
    run, stop = admitted(*asked), threading.Event()
    first = Checkpoints(tmp_path / "first", every_seconds=1000)
    for event in unlearn(run, tmp_path / "a", checkpoints=first, should_stop=stop, device="cuda"):
        if isinstance(event, Progress) and event.images == 16:
            stop.set()
    assert isinstance(event, CheckpointSaved)
    second = Checkpoints(tmp_path / "second", [tmp_path / "first"], 1000)
    resumed = list(unlearn(run, tmp_path / "b", checkpoints=second, device="cuda"))
    assert min(e.images for e in resumed if isinstance(e, Progress) and e.loss_generator is not None) == 24
    assert isinstance(resumed[-1], Finished)
