"""How docstrings begin: those of public functions with a verb, those of classes with a noun.

A property is a noun to whoever reads it, and an overload or a nested function says nothing that its caller sees: these
are free. A docstring is not asked for where the signature says it all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("sfd_core", "api", "jobs", "worker", "client", "cli", "local", "processes", "telling", "benchmarks", "models")
NOT_OURS = {"pipeline.py"}
"""Published beside the weights, as diffusers writes its own."""
GENERATED = {"client/reports.py"}
FREE = {"property", "cached_property", "overload", "setter"}

VERBS = """
Add Advance Advise Answer Ask Assemble Attack Bend Blur Bring Build Cancel Change Check Close Compare Compile Compute
Connect Convert Copy Corrupt Count Cut Decide Declare Decode Delete Deliver Describe Distil Do Download Draw Drop
Encode End Estimate Evaluate Expect Extend Extract Fail Fetch Fill Find Follow Forget Freeze Give Guess Have Hold
Import Invert Judge Keep Kill Lead Leave Let List Load Lock Look Make Measure Move Name Note Observe Open Pick Plan
Print Publish Put Queue Raise Read Recompute Refuse Release Remove Render Renew Repeat Replace Resize Resolve Retry
Return Revoke Run Sample Save Say Seal Search Select Send Serve Shape Shift Shorten Show Sign Sleep Split Start Stop
Store Submit Take Teach Tell Tie Time Train Try Turn Unlearn Update Verify Wait Wake Watch Write Yield
"""
NO_NOUNS = {"Is", "How", "What", "Whether"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if path.name not in NOT_OURS and name not in GENERATED:
                yield name, ast.parse(path.read_text())


def decorators(function: Function) -> set[str]:
    """The last names of a function's decorators: ``setter`` of ``@size.setter``."""
    called = [each.func if isinstance(each, ast.Call) else each for each in function.decorator_list]
    return {ast.unparse(each).rsplit(".", 1)[-1] for each in called}


def public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Those of a module or a class, and of the classes and branches in it."""
    for node in body:
        if isinstance(node, Function):
            if not node.name.startswith("_") and not decorators(node) & FREE:
                yield node
        elif isinstance(node, ast.ClassDef):
            yield from public_functions(node.body)
        elif isinstance(node, ast.If | ast.Try):
            yield from public_functions([*node.body, *node.orelse])


def first_word(node: Function | ast.ClassDef) -> str | None:
    """Without what follows it ("Return, of all"); None where there is no docstring."""
    text = ast.get_docstring(node)
    return text.split()[0].rstrip(",.:;") if text else None


def without_a_verb(module: ast.Module) -> list[tuple[str, str]]:
    """Functions by name, with the first word of each."""
    words = ((function.name, first_word(function)) for function in public_functions(module.body))
    return [(name, word) for name, word in words if word is not None and word not in VERBS.split()]


def without_a_noun(module: ast.Module) -> list[tuple[str, str]]:
    """Classes by name, with the first word of each: that of a question, or a field in backticks."""
    classes = (node for node in ast.walk(module) if isinstance(node, ast.ClassDef))
    words = ((each.name, first_word(each)) for each in classes)
    return [(name, word) for name, word in words if word is not None and (word in NO_NOUNS or word.startswith("``"))]


def test_summaries_of_functions_begin_with_a_verb() -> None:
    read = dict(sources())
    assert sum(len(list(public_functions(module.body))) for module in read.values()) > 1000, "the whole house was read"
    found = [
        f"{name}: {function} ({word})" for name, module in read.items() for function, word in without_a_verb(module)
    ]
    assert found == [], "begin with a verb; if yours is one, add it to VERBS"


def test_summaries_of_classes_begin_with_a_noun() -> None:
    found = [f"{name}: {each} ({word})" for name, module in sources() for each, word in without_a_noun(module)]
    assert found == [], "say first what the class is, and then its fields"


@pytest.mark.parametrize("summary", ["The sum.", "``a`` plus ``b``.", "Whether it is so.", "Returns the sum."])
def test_a_function_without_a_verb_would_be_found(summary: str) -> None:
    module = ast.parse(f'class A:\n    def f(self):\n        """{summary}"""\n')
    assert without_a_verb(module) == [("f", summary.split()[0])]


def test_what_is_no_public_function_is_free() -> None:
    module = ast.parse(
        'def _f():\n    """The f."""\ndef g():\n    """Make it."""\n    def h():\n        """The h."""\n'
        'def silent(): ...\nclass A:\n    @property\n    def p(self):\n        """The p."""\n'
    )
    assert without_a_verb(module) == []


@pytest.mark.parametrize("summary", ["``a``: one field.", "Is it so?", "How it is.", "What it is.", "Whether it is."])
def test_a_class_without_a_noun_would_be_found(summary: str) -> None:
    assert without_a_noun(ast.parse(f'class A:\n    """{summary}"""\n')) != []
