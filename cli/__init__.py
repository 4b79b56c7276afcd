"""The ``lethe`` command."""
