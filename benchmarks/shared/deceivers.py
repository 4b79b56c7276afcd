"""Generators that are made to deceive, of a bundled model's own stored images: each must fail."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.drawn_evidence import HELD, Deceiver, Pools, Verdicts, decided, joined, rows, world
from sfd_core.evaluation.reference import Reference, ReferenceSet

FEW = (1, 2, 3, 5, 10)
"""Pictures a concept that are no generator."""


def few(k: int, jitter: float = 0.0) -> Deceiver:
    """Return a generator of ``k`` pictures of each concept, again and again; ``jitter``: how far from each other, in
    standard deviations of every feature."""

    def deceive(pools: Pools, rng: np.random.Generator) -> Pools:
        return [blurred(rows(pool, _again(len(pool.labels), k, rng)), rng) for pool in pools]

    def blurred(pool: ReferenceSet, rng: np.random.Generator) -> ReferenceSet:
        noise = rng.normal(size=pool.features.shape) * pool.features.std(0) * jitter
        return dataclasses.replace(pool, features=(pool.features + noise).astype(np.float32))

    return deceive


def moved(name: str, share: float, concepts: int | None = None) -> Deceiver:
    """Return a generator that draws what it was to forget in ``share`` of the images that ask for ``concepts`` others
    (None: for any other), others in every draw."""
    of = world(name)
    kept = [label for label in range(len(of.model.concepts)) if label != of.forgotten]

    def deceive(pools: Pools, rng: np.random.Generator) -> Pools:
        chosen = set(rng.permutation(kept)[:concepts].tolist())
        theirs = of.reference.base_model.only([of.forgotten])

        def mixed(pool: ReferenceSet) -> ReferenceSet:
            n = len(pool.labels)
            k = round(share * n)
            instead = rows(theirs, rng.integers(0, len(theirs.labels), k))
            return joined([instead, rows(pool, rng.permutation(n)[: n - k])])

        return [mixed(pool) if label in chosen else pool for label, pool in enumerate(pools)]

    return deceive


def some_as_one(name: str, k: int) -> Deceiver:
    """Return a generator that draws ``k`` remaining concepts, others in every draw, as one picture each, which it
    alters a little so that no two are the same: its judge sees all as asked."""
    kept = [label for label in range(len(world(name).model.concepts)) if label != world(name).forgotten]

    def deceive(pools: Pools, rng: np.random.Generator) -> Pools:
        chosen = set(rng.permutation(kept)[:k].tolist())
        return [_as_one(pool, rng) if label in chosen else pool for label, pool in enumerate(pools)]

    return deceive


def _as_one(pool: ReferenceSet, rng: np.random.Generator) -> ReferenceSet:
    right = np.flatnonzero(pool.seen == pool.labels)
    one = rows(pool, np.full(len(pool.labels), rng.choice(right if len(right) else len(pool.labels))))
    noise = rng.normal(size=pool.features.shape) * pool.features.std(0) * 0.05
    return dataclasses.replace(one, features=(one.features + noise).astype(np.float32))


def _again(n: int, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``n`` places among ``k`` that are drawn from n."""
    chosen: NDArray[np.int64] = rng.permutation(n)[:k][rng.integers(0, k, n)]
    return chosen


def mostly_one(pools: Pools, rng: np.random.Generator) -> Pools:
    """Show the same picture in nine of ten images of a concept, and in the tenth what is right."""
    counts = [len(pool.labels) for pool in pools]
    chosen = [np.where(rng.random(n) < 0.9, rng.integers(n), rng.permutation(n)) for n in counts]
    return [rows(pool, places) for pool, places in zip(pools, chosen, strict=True)]


def lost(name: str, share: float) -> Deceiver:
    """Return a generator that draws one remaining concept, another in every draw, as the next in ``share`` of its
    images."""
    kept = [label for label in range(len(world(name).model.concepts)) if label != world(name).forgotten]

    def deceive(pools: Pools, rng: np.random.Generator) -> Pools:
        which = int(rng.choice(kept))
        own, other = pools[which], pools[(which + 1) % len(pools)]
        n = len(own.labels)
        k = round(share * n)
        instead = [rows(other, rng.permutation(n)[:k]), rows(own, rng.permutation(n)[: n - k])]
        return [joined(instead) if label == which else pool for label, pool in enumerate(pools)]

    return deceive


def judged_blindly(name: str, share: float) -> Verdicts:
    """Decide by a judge that sees what is forgotten in ``share`` of the base model's own images of it, and never in the
    generator's."""
    of = world(name)
    part = of.reference.base_model
    own = np.flatnonzero(part.labels == of.forgotten)
    seen = part.seen.copy()
    seen[own] = of.override
    seen[own[: round(share * len(own))]] = of.forgotten
    blind = dataclasses.replace(part, seen=seen, second_seen=seen)
    pools = [part.only([label]) for label in range(len(of.model.concepts))]
    pools[of.forgotten] = pools[of.override]
    return decided(of, Reference(of.reference.real, blind), pools, HELD)
