"""Processes that a server forks: what has been imported is there at once, and all else is as if exec had started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from processes.forking import CannotFork, ForkServer
from processes.talking import Talking
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
MODULE = "tests.processes.programs.forked"
HERE = {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForkServer]:
    made = ForkServer(MODULE, tmp_path / "server.log", HERE | {"WHILE_IMPORTING": "yes"})
    yield made
    made.close()


def first(talking: Talking) -> dict[str, Any]:
    event = talking.next_event(30)
    assert event is not None
    return event


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_process_of_its_own_whose_imports_are_done(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for number in ("one", "two"):
        monkeypatch.setenv("GIVEN", number)
        talking = server.fork("a-name", ["7", "and", number], tmp_path / f"{number}.log")
        seen.append(first(talking))
        assert talking.process.wait(30) == 7
        with pytest.raises(EOFError):
            talking.next_event(30)
        talking.close()
    assert [s["imported_by"] for s in seen] == [s["parent"] for s in seen] == [seen[0]["parent"]] * 2
    assert seen[0]["pid"] != seen[1]["pid"]
    for number, s in zip(("one", "two"), seen, strict=True):
        # The environment is ours as it is now, and only ours: what the server imported with is not in it.
        assert (s["given"], s["while_importing"], s["rest"]) == (number, None, ["and", number])
        assert (s["leads"], s["name"], s["handlers"]) == (True, "a-name", [True, True])
        assert s["descriptors"] == 3, "nothing of the server's is open"
    assert (tmp_path / "server.log").read_text() == "imported\n"


def test_an_end_is_seen_with_its_status_and_its_last_words(server: ForkServer, tmp_path: Path) -> None:
    talking = server.fork("x", ["fail"], tmp_path / "log")
    assert talking.process.wait(30) == 1
    assert (talking.process.exit_code, talking.process.last_words()) == (1, "no such thing")
    talking.process.ask_to_stop()
    talking.close()
    assert talking.process.exit_code == 1, "it had ended"


def test_signals_are_told(server: ForkServer, tmp_path: Path) -> None:
    talking = server.fork("x", ["wait"], tmp_path / "log")
    first(talking)
    talking.process.ask_to_stop()
    assert talking.process.wait(30) == -signal.SIGTERM
    talking.close()


def test_a_kill_by_another_is_told(server: ForkServer, tmp_path: Path) -> None:
    talking = server.fork("x", ["wait"], tmp_path / "log")
    os.kill(first(talking)["pid"], signal.SIGKILL)
    assert talking.process.wait(30) == -signal.SIGKILL
    talking.close()


def test_what_it_leaves_when_it_ends_goes_with_it(server: ForkServer, tmp_path: Path) -> None:
    talking = server.fork("x", ["leave"], tmp_path / "log")
    first(talking)
    other = first(talking)["left"]
    assert talking.process.wait(30) == 0
    wait_for(lambda: gone(other))
    talking.close()


def test_closing_ends_it(server: ForkServer, tmp_path: Path) -> None:
    talking = server.fork("x", ["wait"], tmp_path / "log")
    pid = first(talking)["pid"]
    talking.close()
    assert talking.process.exit_code == -signal.SIGKILL
    wait_for(lambda: gone(pid))


WHOSE = """
import sys
from pathlib import Path
from processes.forking import ForkServer
folder = Path(sys.argv[1])
server = ForkServer(sys.argv[2], folder / "server.log")
talking = server.fork("x", ["wait"], folder / "log")
event = talking.next_event(60)
print(event["pid"], event["parent"], flush=True)
sys.stdin.read()
"""


def test_when_whoever_asked_is_killed_its_input_ends_and_the_server_goes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WHOSE, str(tmp_path), MODULE]
    pipe = subprocess.PIPE
    asker = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **HERE})
    assert asker.stdout is not None
    pids = [int(pid) for pid in asker.stdout.readline().split()]
    assert not any(map(gone, pids))
    asker.kill()
    asker.communicate()
    wait_for(lambda: all(map(gone, pids)), 30)


def test_a_server_that_still_imports_goes_with_whoever_started_it(tmp_path: Path) -> None:
    pipe, log = tmp_path / "pipe", tmp_path / "server.log"
    os.mkfifo(pipe)
    environment = {**os.environ, **HERE, "FORKED_IMPORTS_UNTIL": str(pipe)}
    asker = subprocess.Popen([sys.executable, "-c", WHOSE, str(tmp_path), MODULE], env=environment)
    wait_for(lambda: log.exists() and log.read_text().endswith("\n"), 30)
    importing = int(log.read_text())
    assert not gone(importing)
    asker.kill()
    asker.wait()
    wait_for(lambda: gone(importing), 30)


def test_a_server_that_is_killed_takes_its_processes_along_and_is_started_anew(
    server: ForkServer, tmp_path: Path
) -> None:
    talking = server.fork("x", ["wait"], tmp_path / "log")
    seen = first(talking)
    os.kill(seen["parent"], signal.SIGKILL)
    assert talking.process.wait(30) == -signal.SIGKILL
    wait_for(lambda: gone(seen["pid"]))
    talking.close()
    again = server.fork("x", ["0"], tmp_path / "log")
    assert first(again)["parent"] != seen["parent"]
    assert again.process.wait(30) == 0
    again.close()


def test_many_at_once_and_nothing_is_left_of_them(server: ForkServer, tmp_path: Path) -> None:
    def one(number: int) -> tuple[list[str], int | None, int]:
        talking = server.fork("x", [str(number), str(number)], tmp_path / f"{number}.log")
        seen, status = first(talking), talking.process.wait(60)
        talking.close()
        return seen["rest"], status, seen["parent"]

    *_, parent = one(0)
    process = psutil.Process(parent)
    before = process.num_fds(), psutil.Process().num_fds()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(40)))
    assert found == [([str(number)], number, parent) for number in range(40)]
    assert process.children() == [], "a zombie is somebody who was not reaped"
    wait_for(lambda: (process.num_fds(), psutil.Process().num_fds()) == before)


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ("FORKED_REFUSES", "it said so"),
        ("FORKED_STARTS_A_THREAD", "a thread was started by what was imported: busybody"),
    ],
)
def test_what_must_not_be_forked_is_not(tmp_path: Path, variable: str, why: str) -> None:
    server = ForkServer(MODULE, tmp_path / "server.log", HERE | {variable: "1"})
    for _ in range(2):
        with pytest.raises(CannotFork, match=f"^{why}$"):
            server.fork("x", ["0"], tmp_path / "log")
    assert server._server is None, "and is of no use any more"


def test_a_server_that_cannot_import_says_so_in_its_log(tmp_path: Path) -> None:
    server = ForkServer("no.such.module", tmp_path / "server.log")
    with pytest.raises(CannotFork, match="its server ended as it imported"):
        server.fork("x", [], tmp_path / "log")
    assert "No module named 'no'" in (tmp_path / "server.log").read_text()


def test_other_systems_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(CannotFork, match="this system is darwin"):
        ForkServer(MODULE, tmp_path / "server.log").fork("x", [], tmp_path / "log")
    assert not (tmp_path / "server.log").exists()


def test_whether_it_is_ready_can_be_asked_meanwhile(server: ForkServer, tmp_path: Path) -> None:
    assert not server.ready(0), "it has only begun"
    wait_for(lambda: server.ready(0.1), 30)
    talking = server.fork("x", ["0"], tmp_path / "log")
    os.kill(first(talking)["parent"], signal.SIGKILL)
    talking.close()
    wait_for(lambda: not server.ready(0), 30)
    wait_for(lambda: server.ready(0.1), 30)
