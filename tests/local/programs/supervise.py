"""Supervises two children until it is killed: ``supervise.py <folder>``. Prints their process ids."""

import sys
import time
from pathlib import Path

from local.program import Program
from local.supervisor import Supervisor

folder = Path(sys.argv[1])
sleep = (sys.executable, "-c", "import time; time.sleep(600)")
supervisor = Supervisor(
    [[Program("first", sleep, folder / "first.log")], [Program("second", sleep, folder / "second.log")]]
)
supervisor.start()
while len(supervisor.pids()) < 2:
    time.sleep(0.01)
sys.stdout.write(" ".join(map(str, supervisor.pids().values())) + "\n")
sys.stdout.flush()
time.sleep(600)
