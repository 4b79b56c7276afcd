"""Everything on one machine with one command: Postgres and Valkey from wheels, the api, the workers."""
