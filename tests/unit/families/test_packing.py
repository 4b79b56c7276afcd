"""Several tensors of a prompt as one row."""

from __future__ import annotations

import torch

from sfd_core.families.text.packing import Packing

PACKING = Packing({"hidden": (3, 5), "pooled": (4,), "mask": (3,)})


def test_what_is_packed_comes_apart_as_it_was() -> None:
    g = torch.Generator().manual_seed(0)
    parts = {name: torch.randn(2, *shape, generator=g) for name, shape in PACKING.shapes.items()}
    rows = PACKING.together(parts)
    assert rows.shape == (2, 3 * 5 + 4 + 3)
    found = PACKING.apart(rows)
    assert list(found) == list(parts)
    assert all(torch.equal(found[name], part) for name, part in parts.items())


def test_a_row_is_one_prompt_s_whatever_stands_beside_it_and_gradients_flow_through() -> None:
    rows = torch.randn(4, 22, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.equal(PACKING.apart(rows)["pooled"][2], PACKING.apart(rows[2:3])["pooled"][0])
    PACKING.apart(rows)["pooled"].sum().backward()
    assert rows.grad is not None
    assert float(rows.grad.sum()) == 4 * 4
