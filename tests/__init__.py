"""The tests, by what they need: plain ones first, then real servers, workers and browsers."""

from __future__ import annotations

import os

# Before anything imports numpy or torch, and for whatever a test starts: two processes of tests, or one beside other
# work, would else wait for each other's threads, and take ten times as long.
for _name, _value in (("OMP_NUM_THREADS", "1"), ("GOMP_SPINCOUNT", "0")):
    os.environ.setdefault(_name, _value)
