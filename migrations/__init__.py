"""The schema's history (Alembic). ``jobs.database.migrate`` runs it; ``alembic -c migrations/alembic.ini`` writes it."""
