"""Keeps the processes of a service running, and stops them in order.

A child that ends is started again, each time a little later; one that ends too often in a short time is a fault that
restarting does not mend, and stops the whole. The same goes for the servers beneath. All children are started by one
thread that lives as long as the supervisor, because the kernel ties a child's life to the thread that started it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from local.errors import ChildError, LocalError, ServerError
from local.program import Program
from local.server import Running
from processes.logs import tail
from processes.process import Process

_PAUSE = 0.1  # seconds between two looks


@dataclass(frozen=True)
class Patience:
    """The limit on how often a child may end: the ``times``-th end within ``seconds`` is one too many."""

    times: int = 5
    seconds: float = 60.0
    first_delay: float = 0.5
    """Seconds before the first new start; doubled each time, until it has lived for ``seconds``."""


@dataclass
class _Ends:
    """The times at which one child, or one server, has ended of late."""

    patience: Patience
    _moments: deque[float] = field(default_factory=deque)

    def delay(self) -> float | None:
        """Note that it has ended now; the seconds until it may start again, or None when it has ended too often."""
        now = time.monotonic()
        self._moments.append(now)
        while now - self._moments[0] > self.patience.seconds:
            self._moments.popleft()
        count = len(self._moments)
        return None if count >= self.patience.times else self.patience.first_delay * 2 ** (count - 1)


@dataclass
class _Child:
    program: Program
    ends: _Ends
    process: Process | None = None
    start_at: float = 0.0


def _start(program: Program) -> Process:
    try:
        return program.start()
    except OSError as error:
        raise ChildError(f"cannot start {program.name}: {error}") from error


class Supervisor:
    """A supervisor that runs ``stages`` of programs: started from the last stage to the first, stopped from the first
    to the last.

    ``servers`` are looked at, too, and started again when they die; stopping them is for whoever has entered them.
    ``say`` gets one line for each thing worth telling an operator, from the supervisor's thread. Once ``hurry`` is
    true, nobody is waited for any longer: what still runs when stopping is killed.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Program]],
        servers: Sequence[Running] = (),
        *,
        patience: Patience | None = None,
        say: Callable[[str], None] = lambda line: None,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        patience = patience or Patience()
        self._stages = [[_Child(program, _Ends(patience)) for program in stage] for stage in stages]
        self._servers = [(running, _Ends(patience)) for running in servers]
        self._say = say
        self._stop = threading.Event()
        self._hurry = hurry
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self.failure: LocalError | None = None
        """Why it has stopped by itself, if it has."""

    def start(self) -> None:
        """Start everything and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop everything, in order, and return once all are gone; harmless when it has stopped already."""
        self._stop.set()
        self._thread.join()

    def wait(self, seconds: float) -> bool:
        """Wait until the supervisor has stopped by itself, at most ``seconds``; whether it has."""
        return self._ended.wait(seconds)

    def pids(self) -> dict[str, int]:
        """Return the process id of every child that runs, by name."""
        return {
            child.program.name: process.pid
            for stage in self._stages
            for child in stage
            if (process := child.process) is not None
        }

    def _run(self) -> None:
        try:
            for stage in reversed(self._stages):
                for child in stage:
                    child.process = _start(child.program)
            while not self._stop.wait(_PAUSE):
                self._look_at_servers()
                self._look_at_children()
        except LocalError as error:
            self.failure = error
        finally:
            if self.failure is None and not self._stop.is_set():
                self.failure = ChildError("the supervisor has ended with a fault of its own")
            for stage in self._stages:
                self._stop_stage(stage)
            self._ended.set()

    def _look_at_servers(self) -> None:
        for running, ends in self._servers:
            if running.alive():
                continue
            if ends.delay() is None:
                raise ChildError(f"{running.server.name} ends again and again\n{tail(running.server.log)}")
            self._say(f"{running.server.name} has ended: it is started again")
            try:
                running.ensure()
            except ServerError as error:
                if running.alive():
                    raise
                self._say(str(error))  # ended once more: the next look counts it

    def _look_at_children(self) -> None:
        for child in (child for stage in self._stages for child in stage):
            if child.process is None:
                if time.monotonic() >= child.start_at:
                    child.process = _start(child.program)
            elif child.process.ended():
                self._note_end(child, child.process)

    def _note_end(self, child: _Child, process: Process) -> None:
        name, log = child.program.name, child.program.log
        how = f"{name} has ended with {process.exit_code}"
        delay = child.ends.delay()
        if delay is None:
            raise ChildError(f"{how}, too often to start it again; {log} ends with\n{tail(log)}")
        self._say(f"{how}: it is started again in {delay:g} s ({log})")
        child.process, child.start_at = None, time.monotonic() + delay

    def _stop_stage(self, stage: Sequence[_Child]) -> None:
        running = [(child.program, child.process) for child in stage if child.process is not None]
        for _, process in running:
            process.ask_to_stop()
        begun = time.monotonic()
        for program, process in running:
            while not process.ended():
                if self._hurry() or time.monotonic() - begun > program.grace:
                    self._say(f"{program.name} does not stop: it is killed")
                    process.kill()
                else:
                    time.sleep(0.02)
