"""Measure `fashion-edm` as `fashion` is measured, by the same judges.

    python -m models.fashion_edm.measure                    # after train.py
    python -m models.fashion_edm.measure --distilled        # after distil.py

A manifest names no file outside of its folder, so the judges are copied.
"""

from __future__ import annotations

import argparse

from models.fashion.distil import FASHION
from models.fashion.measure import main
from models.fashion_edm.bundle import FASHION_EDM

if __name__ == "__main__":
    main(FASHION_EDM, argparse.ArgumentParser(description=__doc__.splitlines()[0]), judged_as=FASHION)
