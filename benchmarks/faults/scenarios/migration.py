"""The newest migration up and down while the version before it works."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=26,
    inject="the newest migration up and down while the version before it works",
    holds="0 failed jobs",
    tests=("tests/faults/test_migration_at_work.py",),
    switches=(
        Switch(
            mechanism="columns that the version before needs",
            module="jobs.database",
            there="    alembic.command.upgrade(_config(url), revision)",
            instead='    alembic.command.upgrade(_config(url), revision)\n    with create_engine(url, poolclass=NullPool).begin() as connection:\n        if revision == "head":\n            connection.exec_driver_sql("ALTER TABLE jobs DROP COLUMN metadata")',
            tests=("tests/faults/test_migration_at_work.py",),
        ),
    ),
    minutes=2,
)
