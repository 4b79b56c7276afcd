"""What the store's tests share: a store, and jobs to put into it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from jobs.generators import GeneratorStore
from jobs.store import JobStore


@pytest.fixture
def store(engine: Engine) -> JobStore:
    """The store on a database of this test's own."""
    return JobStore(engine)


@pytest.fixture
def generators(engine: Engine) -> GeneratorStore:
    """Generators and reports in the same database as ``store``."""
    return GeneratorStore(engine)
