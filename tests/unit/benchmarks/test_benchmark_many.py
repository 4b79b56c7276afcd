"""The editing methods of ``benchmarks.many`` against independent computations, and the page."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.many.cross_attention import Pair, _common_end
from benchmarks.many.esd import loss_of
from benchmarks.many.table import document
from benchmarks.many.uce import edited

RNG = torch.Generator().manual_seed(3)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=RNG, dtype=torch.float64)


def test_the_closed_form_of_uce_is_the_minimum_of_its_objective() -> None:
    w0, keep = drawn(5, 7), drawn(11, 7)
    forget = [Pair(drawn(3, 7), drawn(3, 7)), Pair(drawn(2, 7), drawn(2, 7))]
    preserve, ridge = 0.7, 0.3

    def objective(w: Tensor) -> Tensor:
        """Token by token, as the paper writes it."""
        found = ridge * (w - w0).square().sum()
        for pair in forget:
            for c, instead in zip(pair.asked, pair.instead, strict=True):
                found = found + (w @ c - w0 @ instead).square().sum()
        for k in keep:
            found = found + preserve * (w @ k - w0 @ k).square().sum()
        return found

    w = edited(w0, forget, keep, preserve, ridge).requires_grad_(True)
    (gradient,) = torch.autograd.grad(objective(w), w)
    assert gradient.abs().max() < 1e-10
    least = objective(w.detach())
    assert objective(w0) > least
    for _ in range(8):
        assert objective(w.detach() + 1e-3 * drawn(5, 7)) > least
    # The other way round a weight would count for the wrong side.
    other = edited(w0, forget, keep, ridge, preserve).requires_grad_(True)
    assert torch.autograd.grad(objective(other), other)[0].abs().max() > 1e-3


def test_what_nothing_overrides_is_not_edited() -> None:
    w0, c = drawn(4, 6), drawn(3, 6)
    torch.testing.assert_close(edited(w0, [Pair(c, c)], drawn(5, 6), 1.0, 0.1), w0)


def test_the_loss_of_esd_is_the_one_written_by_hand() -> None:
    tuned, frozen = drawn(2, 2).requires_grad_(True), drawn(2, 2).requires_grad_(True)
    x, c_f, c_0, t = drawn(3, 2), drawn(3, 2), drawn(1, 2), torch.tensor([1, 5, 9])

    def network(w: Tensor) -> Any:
        return lambda x, t, c: (x + c) @ w + t[:, None]

    loss = loss_of(network(tuned), network(frozen), x, t, c_f, c_0)
    by_hand = torch.zeros((), dtype=torch.float64)
    for i in range(3):
        says = (x[i] + c_f[i]) @ tuned + t[i]
        nothing, concept = ((x[i] + c) @ frozen + t[i] for c in (c_0[0], c_f[i]))
        for k in range(2):
            by_hand = by_hand + (says[k] - (nothing[k] - 1.0 * (concept[k] - nothing[k]))) ** 2 / 6
    torch.testing.assert_close(loss, by_hand)
    loss.backward()
    assert tuned.grad is not None
    assert frozen.grad is None, "the untouched model stays as it is"


def test_two_prompts_are_compared_from_the_concept_on() -> None:
    assert _common_end((1, 7, 8, 4, 2), (1, 9, 4, 2)) == 2
    assert _common_end((1, 7, 2), (1, 7, 2)) == 2, "never the first"


def test_the_page_has_a_row_a_method() -> None:
    rate = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    kept = {"before": rate, "after": rate, "drop": rate}
    row = {"objects": 10, "method": "UCE", "network_evaluations": 16, "seconds": 9.64}
    row |= {"unlearned": rate, "least": {"concept": "bomb", **rate}, "retained": kept, "near": kept}
    sizes = {"images": 54, "forgotten_images": 108, "budget": 3200, "esd_steps": 60, "esd_pool": 96}
    text = document([row], sizes, ["`0123456789ab`"])
    measured = "0.500 [0.400, 0.600]"
    assert f"| 10 | UCE | 16 | {measured} | 0.500 (bomb) | 0.500 | 0.500 | {measured} | {measured} | 9.6 |" in text
    assert "108 images asked for each forgotten object and 54 for each other one" in text
