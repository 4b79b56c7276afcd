"""The parts of ``benchmarks.emoji``, run: jobs, what stands beside them, and the calls of the text encoder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.emoji.__main__ import blocks
from benchmarks.emoji.encoder_calls import EncoderCalls
from benchmarks.emoji.figures import targets
from benchmarks.emoji.jobs import JOBS, SPEED, Group, Sizes
from benchmarks.emoji.picture import picture
from benchmarks.emoji.runs import Bench
from benchmarks.emoji.table import document
from sfd_core.families.text.prompt_table import PromptTable
from sfd_core.families.text.text_parts import TextParts
from tests.support.tiny_text_model import STYLES, make_tiny_text_model


class Counted(Bench):
    """Makes nothing, and says how often it was asked to."""

    made = 0

    def _made(self, part: str, job: Any, folder: Path) -> dict[str, Any]:
        Counted.made += 1
        return {}


def test_a_finished_part_is_not_run_again_and_another_request_is_refused(tmp_path: Path) -> None:
    Counted.made = 0
    model = make_tiny_text_model(tmp_path / "model", domains=True)

    def bench(images: int) -> Bench:
        return Counted(model, tmp_path / "work", Sizes(images, 10.0))

    assert bench(64).run("pistol") == bench(64).run("pistol")
    assert Counted.made == 1
    with pytest.raises(SystemExit, match="another base model or request"):
        bench(128).run("pistol")
    # How a job is trained is nothing to what stands beside it.
    bench(64).run("distilled-pistol")
    bench(128).run("distilled-pistol")
    assert Counted.made == 2


def groups() -> tuple[Group, ...]:
    """What the tiny model can be asked for."""
    return tuple(
        Group(thing, thing == "pistol", tuple({"object": thing, "style": style} for style in STYLES), STYLES)
        for thing in ("pistol", "banana")
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """The first job, small, on a model that knows next to nothing."""
    monkeypatch.setitem(JOBS, "pistol", dataclasses.replace(JOBS["pistol"], shown=groups()))
    model = make_tiny_text_model(tmp_path / "model", domains=True)
    return Bench(model, tmp_path / "work", Sizes(8, 60.0, {"kappa4": 2.0}, evaluated=4, rounds=1, repeats=1))


def test_a_job_and_what_stands_beside_it_are_run_and_resumed(tiny: Bench) -> None:
    parts = ("distilled-pistol", "pistol", SPEED)
    results = {part: tiny.run(part) for part in parts}
    assert {part: tiny.run(part) for part in parts} == json.loads(json.dumps(results))
    one = results["pistol"]
    assert one["images"] == 8
    assert one["text"]["start"] == "distilled"
    assert one["encoder_calls"]["training"] == 0
    assert one["encoder_calls"]["preparing"] > 0
    assert list(one["figures"]["cross_domain"]) == ["style"]
    assert results["distilled-pistol"]["figures"]["retained"]["n"] == one["figures"]["retained"]["n"] == 12
    assert (results[SPEED]["steps"], results[SPEED]["guidance"]) == (2, 2.0)
    text = document(results, None)
    assert "| three | all of it | run | not run | **no** |" in text
    images = np.load(tiny.work / "pistol" / "shown.npy")
    assert images.shape == (4, 16, 16, 3)
    (block,) = blocks(tiny.work, {part: results[part] for part in parts})
    assert [(line.name, line.note) for line in block.lines] == [
        ("Base model", "2 steps, guidance 2"),
        ("Distilled", "1 step, nothing forgotten"),
        ("After forgetting", "1 step"),
    ]
    picture([block])


def test_a_run_that_encodes_prompts_while_it_trains_is_caught(tiny: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[TextParts] = []
    looked_up, made = PromptTable.of, PromptTable.__init__

    def making(self: PromptTable, conditions: Any, text: TextParts, *rest: Any) -> None:
        parts.append(text)
        made(self, conditions, text, *rest)

    def encoding(self: PromptTable, c: torch.Tensor) -> torch.Tensor:
        parts[0].readers[0].encoder(torch.zeros(1, 2, dtype=torch.long))
        return looked_up(self, c)

    monkeypatch.setattr(PromptTable, "__init__", making)
    monkeypatch.setattr(PromptTable, "of", encoding)
    result = tiny.run("pistol")
    assert result["encoder_calls"]["training"] > 0
    (caught,) = (t for t in targets(result, result["figures"]) if t.what == "text encoder calls in training")
    assert not caught.reached


def encoder() -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=99, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
            max_position_embeddings=8, projection_dim=8, bos_token_id=1, eos_token_id=2, pad_token_id=2,
        )
    )  # fmt: skip


def test_every_call_of_a_text_encoder_is_counted_by_phase() -> None:
    tokens, network = torch.ones(1, 8, dtype=torch.long), encoder()
    network(tokens)
    with EncoderCalls() as calls:
        calls.phase = "preparing"
        network(tokens)
        encoder()(tokens)
        calls.phase = "training"
        torch.nn.Linear(2, 2)(torch.zeros(1, 2))
        assert calls.by_phase == {"preparing": 2}
        network(tokens)
    network(tokens)
    assert calls.by_phase == {"preparing": 2, "training": 1}
