"""What a base model's own images hardly show is said where models are listed, where a job is taken, and on its page."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np

from jobs.settings import Settings
from sfd_core.evaluation.reference import Reference, ReferenceSet
from tests.api.making import body
from tests.support.serving import CONCEPTS, Service


def own_images(settings: Settings, sneakers: float) -> Path:
    """Stored with the model: of 100 a concept all show what was asked, but for sneakers."""
    labels = np.repeat(np.arange(len(CONCEPTS)), 100)
    sneaker = CONCEPTS.index("Sneaker")
    right = (labels != sneaker) | (np.arange(len(labels)) % 100 < round(100 * sneakers))
    seen = np.where(right, labels, (labels + 1) % len(CONCEPTS))
    part = ReferenceSet(np.zeros((len(labels), 2), np.float32), labels, seen, np.ones(len(labels), np.float32))
    path = settings.bundled_models_dir / "fashion" / "reference.safetensors"
    Reference(part, part).save(path)
    return path


def test_a_poor_base_model_is_said_to_be_so_before_the_run(settings: Settings, service: Service) -> None:
    unknown = service.http.get("/v1/base-models/fashion").json()
    assert unknown["own_images"] is None, "there are none yet"
    path = own_images(settings, 0.07)
    try:
        own = service.http.get("/v1/base-models/fashion").json()["own_images"]
        assert own["too_few"] == ["Sneaker"]
        assert (own["images"], own["by_concept"]["Sneaker"], own["by_concept"]["Bag"]) == (1000, 0.07, 1.0)
        answer = service.http.post("/v1/jobs", json=body()).json()
        (said,) = answer["warnings"]
        assert "sees Sneaker in 7.0" in said
        assert service.http.get(f"/v1/jobs/{answer['id']}").json()["warnings"] == [said]
        page = html.unescape(service.http.get(f"/jobs/{answer['id']}").text)
        assert said in page
        assert "sees Sneaker in 7.0" in service.http.get("/jobs/new").text, "the form knows it, for its notice"
        other = service.http.post("/v1/jobs", json=body(forget=[{"concept": "Bag", "override": "Coat"}])).json()
        assert other["warnings"] == []
        own_images(settings, 1.0)
        assert service.http.get(f"/v1/jobs/{answer['id']}").json()["warnings"] == [], "as the model is now"
    finally:
        path.unlink()
