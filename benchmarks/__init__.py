"""What we claim, as commands that print a table: ``python -m benchmarks`` lists them."""
