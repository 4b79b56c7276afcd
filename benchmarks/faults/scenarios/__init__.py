"""A scenario a file, with its ``SCENARIO``. A new one is found here without a line elsewhere."""
