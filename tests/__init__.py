"""The tests, by what they need: plain ones first, then real servers, workers and browsers."""
