"""What the site needs beyond its pages: the README as its first page, sections that are whole folders, and links to
files that are no pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

README = "README.md"
LINK = re.compile(r"(!?)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README, which is one page for the repository and the site, and fill the sections that are folders."""
    readme = Path(config.docs_dir).parent / README
    files.append(File.generated(config, README, content=re.sub(r"\]\(docs/", "](", readme.read_text("utf-8"))))
    config.nav = _filled(config.nav, sorted(file.src_uri for file in files.documentation_pages()))
    return files


def _filled(nav: Any, pages: list[str]) -> Any:
    if isinstance(nav, dict):
        return {name: _filled(entry, pages) for name, entry in nav.items()}
    if isinstance(nav, list):
        return [one for entry in nav for one in _entries(entry, pages)]
    return nav


def _entries(entry: Any, pages: list[str]) -> list[Any]:
    if isinstance(entry, str) and entry.endswith("/*"):
        return [page for page in pages if posixpath.dirname(page) == entry.removesuffix("/*")]
    return [_filled(entry, pages)]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Name files of the repository that are no pages, instead of linking to them: the site is read without them."""

    def named(found: re.Match[str]) -> str:
        image, words, target, _ = found.groups()
        if image or ":" in target or files.get_file_from_path(_resolved(page, target)) is not None:
            return found.group()
        inside = [file.src_uri for file in files if posixpath.dirname(file.src_uri) == _resolved(page, target)]
        if inside:  # a folder of pages: the first of them, beside which the navigation has the others
            return f"[{words}]({posixpath.relpath(min(inside), posixpath.dirname(page.file.src_uri) or '.')})"
        beside = "" if page.file.src_uri == README else posixpath.join("docs", posixpath.dirname(page.file.src_uri))
        at = posixpath.normpath(posixpath.join(beside, target))
        return f"{words} (`{at}`)" if (Path(config.docs_dir).parent / at).exists() else found.group()

    return LINK.sub(named, markdown)


def _resolved(page: Page, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), target))
