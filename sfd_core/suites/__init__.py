"""Benchmarks that others have published, asked of a generator as each of them defines it."""
