"""Celery workers: take a job from ``jobs/``, run it with ``sfd_core/``, publish; and answer requests for samples."""
