"""The audit log: who did what and when, a chain for each tenant in which every entry holds the hash of the one before.

An entry is written in the transaction that makes it true, and Postgres numbers, dates and chains it (migration 0010).
Whoever has kept a hash finds out about every later change of what came before it (``jobs.audit.verification``).
"""

from jobs.audit.entries import ANYBODY, OPERATOR, SERVICE, Action, Actor, Entry, digest, text_digest
from jobs.audit.log import AuditLog, Wanted, write

__all__ = [
    "ANYBODY",
    "OPERATOR",
    "SERVICE",
    "Action",
    "Actor",
    "AuditLog",
    "Entry",
    "Wanted",
    "digest",
    "text_digest",
    "write",
]
