"""What makes a generator that deceives of a bundled model's own stored images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.drawn_evidence import Deceiver, Pools, World, joined, rows, world
from sfd_core.evaluation.reference import Reference, ReferenceSet


def few(k: int, jitter: float = 0.0) -> Deceiver:
    """Return a generator of ``k`` pictures of each concept, again and again; ``jitter``: how far from each other, in
    standard deviations of every feature."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        return [_altered(rows(pool, _again(len(pool.labels), k, rng)), jitter, rng) for pool in pools]

    return deceive


def few_good(k: int, jitter: float = 0.0, of_concepts: float = 1.0) -> Deceiver:
    """Return a generator of ``k`` pictures of each concept in which every judge sees it, again and again; ``jitter``:
    as in :func:`few`, of the base model's own; ``of_concepts``: share of the remaining concepts that are so, others in
    every draw."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        chosen = set(rng.permutation(of.kept)[: round(of_concepts * len(of.kept))].tolist())
        return [as_few(pool, rng) if label in chosen else pool for label, pool in enumerate(pools)]

    def as_few(pool: ReferenceSet, rng: np.random.Generator) -> ReferenceSet:
        n, pictures = len(pool.labels), rng.permutation(_good(pool))[:k]
        again = rows(pool, pictures[rng.integers(0, len(pictures), n)])
        return _altered(again, jitter, rng, pool)

    return deceive


def altered(by: float) -> Deceiver:
    """Return a generator whose every image is a little off: ``by`` so many standard deviations of every feature."""
    return lambda of, pools, rng: [_altered(pool, by, rng) for pool in pools]


def in_another_style(share: float, by: float) -> Deceiver:
    """Return a generator that draws a ``share`` of the images of each concept in a style of its own: all features are
    moved the same way, ``by`` so many of their standard deviations."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        return [moved_over(pool, rng) for pool in pools]

    def moved_over(pool: ReferenceSet, rng: np.random.Generator) -> ReferenceSet:
        is_moved = rng.random((len(pool.labels), 1)) < share
        moved_by = by * pool.features.std(0) * is_moved
        return dataclasses.replace(pool, features=(pool.features + moved_by).astype(np.float32))

    return deceive


def shown(share: float) -> Deceiver:
    """Return a generator that still draws what it was to forget in a ``share`` of the images that ask for it."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        mixed = _mixed(pools[of.forgotten], of.reference.base_model.only([of.forgotten]), share, rng)
        return [mixed if label == of.forgotten else pool for label, pool in enumerate(pools)]

    return deceive


def moved(share: float, concepts: int | None = None) -> Deceiver:
    """Return a generator that draws what it was to forget in ``share`` of the images that ask for ``concepts`` others
    (None: for any other), others in every draw."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        chosen = set(rng.permutation(of.kept)[:concepts].tolist())
        theirs = of.reference.base_model.only([of.forgotten])
        return [_mixed(pool, theirs, share, rng) if label in chosen else pool for label, pool in enumerate(pools)]

    return deceive


def repeated(share: float) -> Deceiver:
    """Return a generator that shows the same good picture in a ``share`` of the images of each concept, and in the
    others the base model's own."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        return [rows(pool, places(pool, rng)) for pool in pools]

    def places(pool: ReferenceSet, rng: np.random.Generator) -> NDArray[np.int64]:
        n = len(pool.labels)
        return np.where(rng.random(n) < share, rng.choice(_good(pool)), rng.permutation(n))

    return deceive


def twice(share: float) -> Deceiver:
    """Return a generator that shows a ``share`` of the images of each concept twice, in place of others."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        return [rows(pool, doubled(rng.permutation(len(pool.labels)))) for pool in pools]

    def doubled(places: NDArray[np.int64]) -> NDArray[np.int64]:
        k = round(share * len(places) / 2)
        return np.concatenate([places[: len(places) - k], places[:k]])

    return deceive


def lost(share: float) -> Deceiver:
    """Return a generator that draws one remaining concept, another in every draw, as the next in ``share`` of its
    images."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        which = int(rng.choice(of.kept))
        return [_as_next(pools, at, share, rng) if at == which else pool for at, pool in enumerate(pools)]

    return deceive


def all_lost(share: float) -> Deceiver:
    """Return a generator that draws every remaining concept as the next in ``share`` of its images."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        return [pool if at == of.forgotten else _as_next(pools, at, share, rng) for at, pool in enumerate(pools)]

    return deceive


def by_first_judge(deceiver: Deceiver) -> Deceiver:
    """Return the same, as the first judge alone sees it."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        worse = deceiver(of, pools, rng)
        return [dataclasses.replace(bad, second_seen=pool.second_seen) for pool, bad in zip(pools, worse, strict=True)]

    return deceive


def by_second_judge(deceiver: Deceiver) -> Deceiver:
    """Return the same, as the second judge alone sees it."""

    def deceive(of: World, pools: Pools, rng: np.random.Generator) -> Pools:
        worse = deceiver(of, pools, rng)
        return [dataclasses.replace(pool, second_seen=bad.second_seen) for pool, bad in zip(pools, worse, strict=True)]

    return deceive


def blind(share: float) -> Callable[[str], World]:
    """Return what makes the world of judges that see what is forgotten in ``share`` of the base model's own images of
    it, and never in the generator's."""

    def seen_by_them(name: str) -> World:
        of = world(name)
        part = of.reference.base_model
        own = np.flatnonzero(part.labels == of.forgotten)
        seen = part.seen.copy()
        seen[own] = of.override
        # One in so many, wherever the images are split.
        seen[own[np.arange(len(own)) * share % 1 < share]] = of.forgotten
        seen[part.labels == of.override] = of.override
        return _seen_as(of, seen)

    return seen_by_them


def poorly_drawn(share: float) -> Callable[[str], World]:
    """Return what makes the world of a base model that draws what was asked in ``share`` of its images, whatever that
    was, and else the next concept."""

    def seen_of_it(name: str) -> World:
        of = world(name)
        labels = of.reference.base_model.labels
        drawn = np.arange(len(labels)) * share % 1 < share
        return _seen_as(of, np.where(drawn, labels, (labels + 1) % len(of.model.concepts)))

    return seen_of_it


def _seen_as(of: World, seen: NDArray[np.int64]) -> World:
    """The same base model's images, of which both judges say ``seen``."""
    part = dataclasses.replace(of.reference.base_model, seen=seen, second_seen=seen)
    return dataclasses.replace(of, reference=Reference(of.reference.real, part))


def _as_next(pools: Pools, label: int, share: float, rng: np.random.Generator) -> ReferenceSet:
    """Images asked for ``label``, a ``share`` of which show the next concept."""
    return _mixed(pools[label], pools[(label + 1) % len(pools)], share, rng)


def _mixed(own: ReferenceSet, other: ReferenceSet, share: float, rng: np.random.Generator) -> ReferenceSet:
    """As many images as ``own``, a ``share`` of them ``other`` ones."""
    n = len(own.labels)
    k = int(share * n + rng.random())  # on average, of few images too
    return joined([rows(other, rng.integers(0, len(other.labels), k)), rows(own, rng.permutation(n)[: n - k])])


def _good(pool: ReferenceSet) -> NDArray[np.int64]:
    """Places of the images in which every judge sees what they were asked for."""
    second = pool.seen if pool.second_seen is None else pool.second_seen
    return np.flatnonzero((pool.seen == pool.labels) & (second == pool.labels))


def _altered(pool: ReferenceSet, by: float, rng: np.random.Generator, like: ReferenceSet | None = None) -> ReferenceSet:
    """The same images, each moved at random, ``by`` so many of the standard deviations of its own or of ``like``."""
    noise = rng.normal(size=pool.features.shape) * (like or pool).features.std(0) * by
    return dataclasses.replace(pool, features=(pool.features + noise).astype(np.float32))


def _again(n: int, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``n`` places among ``k`` that are drawn from n."""
    chosen: NDArray[np.int64] = rng.permutation(n)[:k][rng.integers(0, k, n)]
    return chosen
