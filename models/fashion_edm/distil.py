"""Stage one of `fashion-edm`, as that of `fashion`.

    python -m models.fashion_edm.distil

It resumes from build/fashion-edm-distilled if it was interrupted.
"""

from __future__ import annotations

import argparse

from models.fashion.distil import main
from models.fashion_edm.bundle import FASHION_EDM

if __name__ == "__main__":
    main(FASHION_EDM, argparse.ArgumentParser(description=__doc__.splitlines()[0]))
