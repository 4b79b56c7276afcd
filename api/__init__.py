"""The HTTP face: requests in, ``jobs`` out, and the dashboard's pages. Imports neither torch nor the worker."""
