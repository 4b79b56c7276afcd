"""Tells others what became of jobs: a webhook, a channel, a mailbox. No job waits for it: it sends what lies in
Postgres."""
