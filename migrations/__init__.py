"""The schema's history: run by ``jobs.database.migrate``, written with ``alembic -c migrations/alembic.ini``."""
