"""A program beside us: its end is seen, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from processes.process import Process
from processes.talking import start_talking
from tests.support.waiting import wait_for

# Starts another process that would outlive it, writes that one's id to a file, and does not hear SIGTERM.
STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
note = pathlib.Path(sys.argv[1])
note.with_suffix(".new").write_text(str(other.pid))
note.with_suffix(".new").rename(note)
time.sleep(600)
"""


def python(code: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_an_end_is_seen_with_its_status_and_its_last_words(tmp_path: Path) -> None:
    process = Process(python("import sys; sys.exit('no such thing')"), tmp_path / "log")
    assert process.wait(30) == 1
    assert (process.exit_code, process.last_words()) == (1, "no such thing")
    process.ask_to_stop()
    process.kill()
    assert process.exit_code == 1, "it had ended"


def test_it_has_a_session_of_its_own_and_what_it_was_given(tmp_path: Path) -> None:
    code = (
        "import os, sys; print(os.getsid(0) == os.getpid(), os.environ['GIVEN'], os.getcwd(), repr(sys.stdin.read()))"
    )
    process = Process(python(code), tmp_path / "log", environment={"GIVEN": "here"}, folder="/")
    assert process.wait(30) == 0
    assert process.last_words() == "True here / ''"


@pytest.mark.parametrize("tied", [False, True])
def test_a_kill_takes_what_it_has_started_too(tmp_path: Path, tied: bool) -> None:
    process = Process(python(STUBBORN, tmp_path / "other"), tmp_path / "log", tied=tied)
    wait_for((tmp_path / "other").exists)
    other = int((tmp_path / "other").read_text())
    process.ask_to_stop()
    assert process.wait(0) is None, "it does not hear"
    process.kill()
    assert process.exit_code == -signal.SIGKILL
    wait_for(lambda: gone(other))


@pytest.mark.parametrize("whole", [True, False])
def test_what_it_leaves_when_it_ends_goes_with_it_if_it_is_whole(tmp_path: Path, whole: bool) -> None:
    process = Process(python(STUBBORN, tmp_path / "other"), tmp_path / "log", whole=whole)
    wait_for((tmp_path / "other").exists)
    other = int((tmp_path / "other").read_text())
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    if whole:
        wait_for(lambda: gone(other))
    else:
        assert not gone(other)
        os.kill(other, signal.SIGKILL)


def test_what_cannot_be_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Process(["/nowhere/at/all"], tmp_path / "log")


def test_events_are_read_in_order_and_other_lines_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = (
        "import sys; print('{\"step\": 1}'); print('Traceback'); print('{\"step\": 2}'); sys.stdin.read(); sys.exit(3)"
    )
    talking = start_talking(python(code), tmp_path / "log")
    try:
        assert talking.next_event(30) == {"step": 1}
        assert talking.next_event(30) == {"step": 2}
        assert talking.next_event(0.01) is None, "it waits on its input, which is open"
        assert "wrote a line that is not an event" in caplog.text
    finally:
        talking.close()
    for _ in range(2):
        with pytest.raises(EOFError):
            talking.next_event(30)
    assert talking.process.exit_code == -signal.SIGKILL
