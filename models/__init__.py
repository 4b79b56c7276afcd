"""Bundled base models: weights, card, and the scripts that made each."""
