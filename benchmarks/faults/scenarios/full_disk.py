"""A disk that is full in a checkpoint, in a publication, in Postgres's volume; then room again."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=31,
    inject="a disk that is full in a checkpoint, in a publication, in Postgres's volume; then room again",
    holds="no failure spent, resumed, published once",
    tests=(
        "tests/faults/test_full_disk.py",
        "tests/faults/test_database_away.py::test_what_is_a_database_that_is_away",
    ),
    switches=(
        Switch(
            mechanism="full told from broken",
            module="sfd_core.storage",
            there="_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})",
            instead="_FULL = frozenset({0})",
            tests=("tests/faults/test_full_disk.py",),
        ),
    ),
    left="of Postgres's own volume only that its error counts as a database that is away",
)
