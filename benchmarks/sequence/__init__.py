"""Requests that come one after another: kept forgotten, forgotten naively, or all at once."""
