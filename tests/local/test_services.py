"""The embedded servers: started by the first, stopped by the last, and whole after any kill."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from local.errors import DataFolderError
from local.services import Service, Services, services
from tests.local.conftest import eventually, kill, processes_of, run_program, says, served


@contextlib.contextmanager
def database(service: Service) -> Iterator[psycopg.Connection]:
    with psycopg.connect(service.url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def broker(service: Service) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=service.url.removeprefix("redis+socket://").partition("?")[0], decode_responses=True
    )


def write(both: Services, value: str) -> None:
    with database(both.postgres) as connection:
        connection.execute("create table if not exists kept (value text)")
        connection.execute("insert into kept values (%s)", [value])
    client = broker(both.valkey)
    client.rpush("kept", value)
    client.close()


def kept(both: Services) -> tuple[list[str], list[str]]:
    with database(both.postgres) as connection:
        rows = [row[0] for row in connection.execute("select value from kept")]
    client = broker(both.valkey)
    words = [str(word) for word in client.lrange("kept", 0, -1)]
    client.close()
    return rows, words


def server_pids(root: Path) -> list[int]:
    """The process ids of the postmaster and of Valkey."""
    postmaster = int((root / "postgres/18/postmaster.pid").read_text().split()[0])
    valkey = [each.pid for each in processes_of(root) if each.name().startswith("valkey")]
    return [postmaster, *valkey]


def test_starts_serves_and_stops(root: Path) -> None:
    with services(root) as both:
        write(both, "first")
        with database(both.postgres) as connection:
            assert connection.execute("show max_connections").fetchone() == ("100",)
            assert connection.execute("select current_database(), current_user").fetchone() == ("lethe", "lethe")
        assert broker(both.valkey).config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert broker(both.valkey).config_get("appendonly") == {"appendonly": "yes"}
        sockets = Path(both.valkey.url.removeprefix("redis+socket://").partition("?")[0]).parent
    assert not served(root)
    assert not processes_of(root)
    assert not sockets.exists()
    with services(root) as both:
        assert kept(both) == (["first"], ["first"])


def test_kill_of_both_servers_loses_nothing(root: Path) -> None:
    with services(root) as both:
        write(both, "before")
        for pid in server_pids(root):
            kill(pid)
        eventually(lambda: not both.postgres.running.alive() and not both.valkey.running.alive())
    with services(root) as both:
        assert kept(both) == (["before"], ["before"])


def test_a_server_that_dies_beneath_us_is_started_again(root: Path) -> None:
    with services(root) as both:
        write(both, "before")
        for pid in server_pids(root):
            kill(pid)
        eventually(lambda: not any(service.running.alive() for service in both))
        for service in both:
            service.running.ensure()
        assert kept(both) == (["before"], ["before"])


def test_kill_of_the_only_user_stops_the_servers(root: Path) -> None:
    user = run_program("use_servers", root)
    assert says(user).startswith("postgresql")
    user.kill()
    user.communicate()
    eventually(lambda: not served(root))
    assert not processes_of(root)


def test_kill_of_everything_at_once_loses_nothing(root: Path) -> None:
    user = run_program("use_servers", root)
    says(user)
    with services(root) as both:
        write(both, "before")
    victims = processes_of(root)
    assert len({each.pid for each in victims}) >= 4, "the user, its two servers, and the caretaker"
    for each in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    user.communicate()
    with services(root) as both:
        assert kept(both) == (["before"], ["before"])


def test_processes_share_the_servers_and_the_last_one_out_stops_them(root: Path) -> None:
    user = run_program("use_servers", root)
    url = says(user)
    with services(root) as both:
        assert both.postgres.url == url
        user.communicate()  # closes its input, and waits for its end
        assert user.returncode == 0
        write(both, "still there")
        assert kept(both) == (["still there"], ["still there"])
    assert not served(root)


def test_half_made_data_of_a_killed_start_is_cleared(root: Path) -> None:
    half = root / "postgres/new-1"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with services(root) as both:
        write(both, "whole")
    assert not half.exists()


def test_a_data_folder_below_a_closed_one_works(root: Path) -> None:
    root.mkdir()
    root.parent.chmod(0o700)  # as root, Postgres runs as a user who cannot pass through here
    with services(root) as both:
        write(both, "reached")
        assert kept(both) == (["reached"], ["reached"])


def test_a_path_too_long_for_a_socket_works(root: Path) -> None:
    deep = root / ("a" * 60) / ("b" * 60)
    with services(deep) as both:
        write(both, "short socket")
    assert not served(deep)


def test_only_the_owner_can_read_what_is_kept(root: Path) -> None:
    with services(root):
        for name in ("postgres", "valkey", "logs", "locks"):
            assert stat.S_IMODE((root / name).stat().st_mode) == 0o700, name


def test_a_data_folder_that_cannot_be_written_is_named(root: Path) -> None:
    with (
        pytest.raises(DataFolderError, match=r"cannot write in /proc/lethe .*set LETHE_DATA_DIR"),
        services("/proc/lethe"),
    ):
        pass
    root.write_text("")
    with pytest.raises(DataFolderError, match=r"is not a folder: set LETHE_DATA_DIR"), services(root):
        pass
    os.unlink(root)
