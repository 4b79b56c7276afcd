"""The published benchmarks that there are: a file each, which says ``SUITE``. Plain: importing this does not import
torch; what a benchmark measures with, it imports when it measures."""
