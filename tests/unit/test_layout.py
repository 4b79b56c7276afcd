"""The layout of the house: no two modules import each other, by whatever way round."""

from __future__ import annotations

import grimp

OURS = ("sfd_core", "jobs", "worker", "api", "client", "cli", "local", "processes", "telling", "migrations", "models")


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """The groups of modules that can all be reached from each other: strongly connected components of more than one,
    by Tarjan's algorithm. Imports inside functions count."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        open_.append(module)
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            if imported not in order:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in open_:
                lowest[module] = min(lowest[module], order[imported])
        if lowest[module] == order[module]:
            at = open_.index(module)
            if len(open_) - at > 1:
                found.append(sorted(open_[at:]))
            del open_[at:]

    for module in sorted(graph.modules):
        if module not in order:
            visit(module)
    return found


def test_no_circle_of_imports() -> None:
    graph = grimp.build_graph(*OURS, exclude_type_checking_imports=True, cache_dir=None)
    assert graph.count_imports() > 500, "the whole house was read"
    assert circles(graph) == []


def test_a_circle_would_be_found() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("d", "e"), ("e", "f"), ("f", "d")):
        graph.add_import(importer=importer, imported=imported)
    assert circles(graph) == [["d", "e", "f"], ["b", "c"]]
