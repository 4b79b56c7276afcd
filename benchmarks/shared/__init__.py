"""What benchmarks share. Every other module and package of ``benchmarks`` is a benchmark, run by ``python -m``."""
