"""``lethe up`` without the command: ``serve.py <data folder>``. Prints the URL when the service answers."""

import sys
from pathlib import Path

from jobs.settings import Settings
from local.stack import Stack, serve


def ready(stack: Stack) -> None:
    sys.stdout.write(stack.url + "\n")
    sys.stdout.flush()


serve(Settings(data_dir=Path(sys.argv[1]), port=0), ready=ready)
