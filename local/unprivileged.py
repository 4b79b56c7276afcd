"""Running Postgres when we are root. It refuses user id 0, so it runs as `postgres` or `nobody`.

Two things may then be out of its reach, because a folder above them is closed to others (root's home, a folder of
mktemp): its data and its program.
- The data folder is handed over as an open descriptor and named `/proc/self/fd/N`, which leads to the folder itself
  without passing through its parents. The descriptor goes to every child, so the name holds in all of them.
- The program is copied, once a version, into a cache that everybody may read.
"""

from __future__ import annotations

import importlib.metadata
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.errors import ServerError
from local.folders import package_folder
from processes.process import User

_CACHE = Path("/var/cache/lethe")


@dataclass(frozen=True)
class Account:
    """Another user of this machine."""

    name: str
    uid: int
    gid: int

    def popen(self) -> User:
        return User(user=self.uid, group=self.gid, extra_groups=[])


def find_account() -> Account | None:
    """Find who runs Postgres: None for ourselves, else an unprivileged account. Raises ServerError where there is
    none."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid)
    raise ServerError("running as root: Postgres needs a user `postgres` or `nobody`, and neither exists")


def programs(package: str, inside: str, account: Account | None) -> Path:
    """Return the folder ``inside`` an installed package that holds programs which ``account`` can run, copied if need
    be.

    Raises ServerError where the copy cannot be run either (a file system without execute permission, for example).
    """
    folder = package_folder(package)
    if account is None:
        return folder / inside
    return within_reach(folder, inside, account, _CACHE / f"{package}-{importlib.metadata.version(package)}")


def within_reach(folder: Path, inside: str, account: Account, copy: Path) -> Path:
    """Return ``folder / inside``, or the same of a copy of ``folder`` made in ``copy``, whichever ``account`` can
    run."""
    if _can_run(folder / inside, account):
        return folder / inside
    if not copy.exists():
        _copy(folder, copy)
    found = copy / folder.name / inside
    if not _can_run(found, account):
        raise ServerError(f"running as root: user {account.name} cannot run the programs in {found}")
    return found


def _can_run(folder: Path, account: Account) -> bool:
    try:
        done = subprocess.run([folder / "initdb", "--version"], capture_output=True, cwd="/", **account.popen())
    except OSError:
        return False
    return done.returncode == 0


def _copy(folder: Path, copy: Path) -> None:
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.parent.chmod(0o755)
        fresh = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(folder, fresh / folder.name, symlinks=True)
        # Its shared libraries lie beside the package and are found by a relative path: keep the layout.
        libraries = folder.with_name(folder.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        _open_to_all(fresh)
    except OSError as error:
        raise ServerError(f"running as root: cannot copy Postgres to {copy.parent}: {error}") from error
    try:
        fresh.rename(copy)
    except OSError:  # another process was first
        shutil.rmtree(fresh)


def _open_to_all(folder: Path) -> None:
    """Let everybody read, and run what its owner can run, whatever umask it was installed with."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
