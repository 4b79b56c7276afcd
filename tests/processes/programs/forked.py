"""What the tests have forked: says what it sees, and does what its arguments say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

IMPORTED_BY = os.getpid()


def preload() -> str | None:
    if "FORKED_REFUSES" in os.environ:
        return "it said so"
    if "FORKED_STARTS_A_THREAD" in os.environ:
        threading.Thread(target=threading.Event().wait, name="busybody", daemon=True).start()
    if "FORKED_IMPORTS_UNTIL" in os.environ:
        print(os.getpid(), flush=True)
        Path(os.environ["FORKED_IMPORTS_UNTIL"]).read_text()  # a pipe: until somebody writes
    print("imported")  # to the server's log, once, and to no process's output
    return None


def main(what: str, *rest: str) -> int:
    seen = {
        "imported_by": IMPORTED_BY,
        "parent": os.getppid(),
        "pid": os.getpid(),
        "leads": os.getsid(0) == os.getpid(),
        "name": Path("/proc/self/comm").read_text().strip(),
        "given": os.environ.get("GIVEN"),
        "while_importing": os.environ.get("WHILE_IMPORTING"),
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,
        "handlers": [signal.getsignal(number) is signal.SIG_DFL for number in (signal.SIGCHLD, signal.SIGTERM)],
        "rest": rest,
    }
    print(json.dumps(seen), flush=True)
    if what == "fail":
        sys.exit("no such thing")
    if what == "leave":
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(json.dumps({"left": other.pid}), flush=True)
        return 0
    if what == "wait":
        sys.stdin.read()
        return 5
    return int(what)
