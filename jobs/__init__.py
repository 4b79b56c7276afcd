"""What a job is and how it is kept: states, the fenced store, outbox, events, artefacts, keys. No torch, no HTTP."""
