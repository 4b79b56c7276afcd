"""Which conditions a step asks for, what overrides each, and how much each counts: from tables of several kinds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from sfd_core.families.protocol import ConditionTable
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import ConditionSampler

CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampler(table: ConditionTable, **recipe: Any) -> ConditionSampler:
    return ConditionSampler(table, Recipe(**recipe), CPU)


def nothing(n: int) -> Tensor:
    return torch.zeros(n, 1, 1, 1)


def test_a_concept_of_many_conditions_is_asked_for_no_more_often_than_one_of_one() -> None:
    table = ConditionTable(forgotten=[[0, 1, 2], [3]], remaining=[4, 5], overrides={})
    drawn = sampler(table, batch=4000, forgotten_share=0.75, forget_weight=0.5).draw(seeded())
    counts = Counter(drawn.c.tolist())
    assert counts[3] == 1500
    for condition, share in ((0, 500), (1, 500), (2, 500), (4, 500), (5, 500)):
        assert abs(counts[condition] - share) < 5 * share**0.5
    assert set(drawn.c[:3000].tolist()) == {0, 1, 2, 3}
    assert drawn.w[:3000].unique().tolist() == [0.5]
    assert drawn.w[3000:].unique().tolist() == [1.0]


@pytest.mark.parametrize(("concepts", "batch"), [(2, 16), (5, 8), (100, 8), (7, 64)])
def test_concepts_have_their_turns_equally_often_however_many_they_are(concepts: int, batch: int) -> None:
    table = ConditionTable(forgotten=[[label] for label in range(concepts)], remaining=[concepts], overrides={})
    s, rng, counts = sampler(table, batch=batch, forgotten_share=0.25), seeded(), Counter[int]()
    for step in range(2 * concepts):
        counts.update(c for c in s.draw(rng, step).c.tolist() if c < concepts)
        assert len(counts) == min(concepts, sum(counts.values()))
        assert max(counts.values()) - min(counts[label] for label in range(concepts)) <= 1
    assert len(set(counts.values())) == 1


def test_the_share_grows_with_the_concepts_up_to_half() -> None:
    """One of eight for one; each of several keeps its odds beside a remaining image, 1 to 7."""
    recipe = Recipe(batch=800)
    assert [recipe.forgotten_images(k) for k in (1, 2, 3, 7, 8, 100)] == [100, 178, 240, 400, 400, 400]
    assert [Recipe(batch=8, forgotten_share=0.75).forgotten_images(k) for k in (1, 5)] == [6, 6]


def test_half_of_the_loss_at_all_times_is_of_what_is_forgotten() -> None:
    table = ConditionTable(forgotten=[[0], [1], [2]], remaining=[3, 4], overrides={})
    s, rng = sampler(table, batch=16, deep_share=0.25), seeded()
    drawn = [s.draw_deep(rng, step) for step in range(3)]
    assert [forgotten.tolist() for forgotten, _ in drawn] == [[0, 1], [2, 0], [1, 2]]
    assert all(len(remaining) == 2 and set(remaining.tolist()) <= {3, 4} for _, remaining in drawn)


def test_one_to_choose_from_leaves_the_generator_as_it_is() -> None:
    """Seeds mean what they meant: a draw of one thing is no draw."""
    table = ConditionTable(forgotten=[], remaining=[1], overrides={0: [1]})
    s, rng = sampler(table, batch=8), seeded(5)
    assert s.draw(rng).c.tolist() == [1] * 8
    assert s.overrides(torch.tensor([0, 1]), rng).tolist() == [1, 1]
    assert torch.equal(rng.get_state(), seeded(5).get_state())


def test_a_batch_is_drawn_from_the_generator_that_is_given() -> None:
    table = ConditionTable(forgotten=[[0, 1], [2]], remaining=[3, 4, 5], overrides={0: [3, 4, 5]})
    s = sampler(table, batch=64, forgotten_share=0.5, condition_dropout=0.5)
    s.dropped = 6
    draws = [
        (
            s.draw(rng).c.tolist(),
            s.overrides(torch.zeros(64).long(), rng).tolist(),
            s.some_dropped(torch.zeros(64), rng).tolist(),
        )
        for rng in (seeded(1), seeded(1), seeded(2))
    ]
    assert draws[0] == draws[1]
    assert all(a != b for a, b in zip(draws[0], draws[2], strict=True))


def test_overrides_come_equally_often_from_what_a_condition_may_become() -> None:
    table = ConditionTable(forgotten=[[0]], remaining=[1, 2, 3], overrides={0: [2, 3]})
    counts = Counter(sampler(table).overrides(torch.zeros(2000).long(), seeded()).tolist())
    assert set(counts) == {2, 3}
    assert abs(counts[2] - 1000) < 5 * 22


def test_the_judge_looks_only_at_what_it_chooses_for_and_without_a_gradient() -> None:
    table = ConditionTable(forgotten=[[0], [1]], remaining=[2, 3], overrides={1: [3]}, judged=[0])
    seen: list[tuple[list[float], bool, bool]] = []

    def judge(images: Tensor) -> Tensor:
        seen.append((images.flatten().tolist(), images.requires_grad, torch.is_grad_enabled()))
        return torch.tensor([[9.0, 9.0, 1.0, 0.0], [9.0, 9.0, 0.0, 1.0]])

    f_psi = torch.arange(4.0).view(4, 1, 1, 1).requires_grad_()
    s, c = sampler(table), torch.tensor([0, 1, 2, 0])
    o = s.overrides(c, seeded())
    assert s.chosen(c, o, f_psi, judge).tolist() == [2, 3, 2, 3]
    assert o.tolist() == [0, 3, 2, 0], "what was drawn is left as it was"
    assert seen == [([0.0, 3.0], False, False)]


def test_a_judge_is_not_asked_where_none_of_its_concepts_is() -> None:
    table = ConditionTable(forgotten=[[0]], remaining=[1, 2], overrides={}, judged=[0])
    c, o = torch.tensor([1, 2]), torch.tensor([2, 1])
    assert sampler(table).chosen(c, o, nothing(2), None).tolist() == [2, 1]
    with pytest.raises(ValueError, match="an override by the judge needs a judge"):
        sampler(table).chosen(torch.tensor([1, 0]), o, nothing(2), None)


def test_so_many_conditions_are_dropped_as_the_recipe_says() -> None:
    table = ConditionTable(forgotten=[[0]], remaining=[1], overrides={}, dropped=2)
    c = torch.arange(2).repeat(1000)
    found = sampler(table, condition_dropout=0.2).some_dropped(c, seeded())
    assert abs(int((found == 2).sum()) - 400) < 5 * 18
    assert torch.equal(found[found != 2], c[found != 2])


@pytest.mark.parametrize(("dropped", "share"), [(None, 0.5), (2, 0.0)])
def test_where_none_may_be_dropped_none_is_drawn(dropped: int | None, share: float) -> None:
    table = ConditionTable(forgotten=[[0]], remaining=[1], overrides={}, dropped=dropped)
    rng, c = seeded(5), torch.arange(2).repeat(50)
    assert torch.equal(sampler(table, condition_dropout=share).some_dropped(c, rng), c)
    assert torch.equal(rng.get_state(), seeded(5).get_state())


def test_as_many_are_forgotten_as_the_share_says_and_none_where_nothing_is() -> None:
    for forgotten, n in (([[0]], 3), ([], 0)):
        table = ConditionTable(forgotten=forgotten, remaining=[1], overrides={})
        drawn = sampler(table, batch=10, forgotten_share=0.3, forget_weight=0.0).draw(seeded())
        assert drawn.c.tolist() == [0] * n + [1] * (10 - n)
        assert drawn.w.tolist() == [0.0] * n + [1.0] * (10 - n)
