"""Taken by every Python process whose ``PYTHONPATH`` begins with this folder: the module of a switch is imported as it
is without its mechanism, by the tests and by whatever they start."""

import json
import os
import sys

from benchmarks.shared.instead import Instead

if "SWITCHED" in os.environ:
    sys.meta_path.insert(0, Instead(*json.loads(os.environ["SWITCHED"])))
