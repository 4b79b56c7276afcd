"""The documentation as a site: every page has its place, every link leads somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def built(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """The site of the documents in ``folder``, in ``out``."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = built(ROOT, out)
    assert done.returncode == 0, done.stderr
    return out


def test_every_document_is_a_page(site: Path) -> None:
    named = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in ROOT.glob("docs/**/*.md")}
    pages = {path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")}
    assert named <= pages
    assert "<h1" in (site / "index.html").read_text()


def test_no_page_asks_another_server(site: Path) -> None:
    asks = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["'](?:https?:)?//[^"']+""")
    for page in site.rglob("*.html"):
        # What is said of the page itself is no request.
        asked = [one for one in asks.findall(page.read_text()) if "canonical" not in one]
        assert not asked, (page, asked)


def test_a_page_without_a_section_and_a_link_to_nothing_fail(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("README.md", "mkdocs.yml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "docs" / "stray.md").write_text("# Stray\n\n[nothing](nothing.md)\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "stray.md" in done.stderr
    assert "'nothing.md', but the target is not found" in done.stderr
