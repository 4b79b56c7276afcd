"""The programs that tests start and pip does not bring: a Chromium, and what the documents' commands use.

``python -m tests.support.programs`` says which are missing, after it has tried to install them where it may: as root,
on Debian.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OTHERS = ("curl", "jq", "openssl")
"""Each comes in the package of its name."""


def find_chromium() -> str | None:
    """The one that ``CHROMIUM`` names, else one on the path, else Playwright's own if it was installed."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    if found := next(filter(None, map(shutil.which, CHROMIUM)), None):
        return found
    own = playwrights_own()
    return str(own) if own.is_file() else None


def playwrights_own() -> Path:
    """Where Playwright installs its Chromium, whether or not it is there."""

    def ask() -> Path:
        with sync_playwright() as playwright:
            return Path(playwright.chromium.executable_path)

    # In a thread of its own: a second Playwright is refused in a thread in which one runs, as beside browser tests.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(ask).result()


def missing() -> list[str]:
    """Packages of Debian that would bring what is not there."""
    packages = [] if find_chromium() else ["chromium"]
    return packages + [name for name in OTHERS if shutil.which(name) is None]


def main() -> int:
    """Install what is missing where that is possible. 1 if anything is missing still."""
    packages = missing()
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stderr.write(f"installing {', '.join(packages)} for the tests\n")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        fonts = ["fonts-dejavu-core"] if "chromium" in packages else []
        for arguments in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", *packages, *fonts]):
            subprocess.run(["apt-get", *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
        packages = missing()
    if packages:
        names = " ".join(packages)
        sys.stderr.write(
            f"the tests need {names}: on Debian, apt-get install {names}"
            + (", or name a Chromium in CHROMIUM\n" if "chromium" in packages else "\n")
        )
    return 1 if packages else 0


if __name__ == "__main__":
    sys.exit(main())
