"""The api over HTTP: a real server on a loopback port, real Postgres and Valkey."""
