"""Becomes another program, one that dies with its parent: ``python -m processes.tied <parent's pid> <program> ...``.

A supervisor that is killed with SIGKILL can stop nobody. So on Linux each child asks the kernel to be killed when its
parent ends, then turns into the program by exec, which keeps the request. Elsewhere a kill -9 of the supervisor leaves
its children running.
"""

from __future__ import annotations

import os
import signal
import sys

from processes.kernel import die_with_parent


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and exec the rest of ``arguments``. Raises OSError where it cannot."""
    parent, program = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked: no signal would come any more
        sys.exit(1)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
