"""Postgres killed between every two statements of claim, publish, give up, release, cancel."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=35,
    inject="Postgres killed between every two statements of claim, publish, give up, release, cancel",
    holds="no failure spent, nothing evaluated twice, 0 published twice",
    tests=("tests/faults/test_database_away.py",),
    switches=(
        Switch(
            mechanism="fenced retries",
            module="worker.lease",
            there="            except DATABASE_ERRORS as error:\n                self._bear(error)\n            time.sleep(RETRY_SECONDS)",
            instead="            except DATABASE_ERRORS:\n                raise",
            tests=("tests/faults/test_database_away.py",),
        ),
    ),
)
