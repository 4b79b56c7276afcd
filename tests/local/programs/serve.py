"""``lethe up`` without the command: settings from LETHE_* variables. Prints the URL when the service answers."""

import sys

from jobs.settings import Settings
from local.stack import Stack, serve


def ready(stack: Stack) -> None:
    sys.stdout.write(stack.url + "\n")
    sys.stdout.flush()


serve(Settings(), ready=ready)
