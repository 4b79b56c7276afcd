"""The store against real Postgres and Valkey."""
