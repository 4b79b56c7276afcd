"""The outbox: what is to be sent to the broker, written in the transaction that makes it true, sent after commit.

A message may be sent twice (a crash between sending and marking) and that is harmless: the claim lets one win. It is
never lost, and never sent for a job that was rolled back.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, delete, func, select, update

from jobs import rows
from jobs.schema import outbox


def take_unsent(engine: Engine, limit: int, send: Callable[[str], None]) -> int:
    """Send up to ``limit`` waiting rows, oldest first, by ``send(job_id)``; say how many were sent. Several may do
    so at once: each takes other rows.

    Raises:
        Exception: what ``send`` raised. Rows sent before it are marked, the others wait.
    """
    waiting = (
        select(outbox.c.id, outbox.c.job_id)
        .where(outbox.c.sent_at.is_(None))
        .order_by(outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    sent: list[int] = []
    failure: Exception | None = None
    with engine.begin() as connection:
        for row in connection.execute(waiting).all():
            try:
                send(row.job_id)
            except Exception as error:  # noqa: BLE001 - raised again below, once the rows sent so far are marked
                failure = error
                break
            sent.append(row.id)
        if sent:
            connection.execute(update(outbox).where(outbox.c.id.in_(sent)).values(sent_at=func.now()))
    if failure is not None:
        raise failure
    return len(sent)


def prune_sent(engine: Engine, older_than_seconds: float) -> int:
    """Delete rows that were sent longer ago than that, and say how many: they have done their work."""
    with engine.begin() as connection:
        gone = connection.execute(delete(outbox).where(outbox.c.sent_at < rows.from_now(-older_than_seconds)))
        return gone.rowcount
