"""Mutants of a module: its text with one thing in it changed, as a slip of the hand would change it.

What is changed is found in the syntax tree and replaced in the text, so that a mutant is told by one line before and
after. Left alone is what no test of behaviour can see (annotations, docstrings, assertions, the arguments of
``dataclass``, ``strict`` of ``zip``), and what mypy refuses anyhow (another number of values, arguments of another
kind).
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
"""The bound moved, and the answer turned over."""
BINARY: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "/",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.MatMult: "*",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}
FUNCTIONS = {
    **{"min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor", "floor": "ceil"},
    **{"sum": "mean", "mean": "sum", "zeros": "ones", "ones": "zeros", "sorted": "list"},
}
"""Called by this name, and by that instead."""
COMMUTATIVE = {"min", "max", "hypot", "equal", "isinstance", "outer", "zip", "_relative", "omega_of"}
"""Whose arguments, exchanged, give the same (or, of ``zip`` and ``isinstance``, no program). ``_relative`` and
``omega_of`` are magnitudes of a ratio and of a difference."""
SILENT_DECORATORS = {"dataclass", "abstractmethod", "runtime_checkable"}
TEXT = '"mutant"'


@dataclass(frozen=True)
class Mutant:
    """A module with one small change. ``line``: where, from 1. ``before``, ``after``: that line's text. ``source``: the
    whole module's."""

    line: int
    before: str
    after: str
    source: str

    @property
    def change(self) -> str:
        """The line as it is changed, or without what it is."""
        return f"without {self.before}" if self.after == "pass" else self.after


def mutants(source: str) -> list[Mutant]:
    """Find every mutant of a module, from its top to its end; none twice."""
    text = _Text(source)
    found: dict[str, Mutant] = {}
    for start, end, new in sorted(_Walk(text).replacements(ast.parse(source))):
        changed = source[:start] + new + source[end:]
        if changed != source and _compiles(changed):
            found.setdefault(changed, text.mutant(start, end, new, changed))
    return list(found.values())


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Text:
    """A module's text, with places in it by line and column as the syntax tree has them (columns in bytes)."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def at(self, line: int, column: int) -> int:
        """Return the character at a line, from 1, and a column, from 0."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Return the first character of ``node``, and the one after its last."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        """Return how ``node`` is written."""
        start, end = self.span(node)
        return self.source[start:end]

    def mutant(self, start: int, end: int, new: str, changed: str) -> Mutant:
        """Make the mutant: what the line of ``start`` becomes. A replacement of several lines is told as one."""
        line = self.source.count("\n", 0, start) + 1
        first, last = self.starts[line - 1], self.source.find("\n", end)
        last = len(self.source) if last < 0 else last
        told = (self.source[first:last], self.source[first:start] + new + self.source[end:last])
        before, after = (" ".join(each.split()) for each in told)
        return Mutant(line, before, after, changed)


Replacement = tuple[int, int, str]


class _Walk:
    """A walk through a syntax tree that says what may be replaced by what."""

    def __init__(self, text: _Text) -> None:
        self.text = text

    def replacements(self, node: ast.AST) -> Iterator[Replacement]:
        """Yield the first and last character of what is replaced, and the text in its place; for ``node`` and all in
        it."""
        yield from self._own(node)
        for child in self._children(node):
            yield from self.replacements(child)

    def _children(self, node: ast.AST) -> Iterator[ast.AST]:
        skipped: list[ast.AST] = []
        match node:
            case ast.FunctionDef():
                skipped = [d for d in node.decorator_list if _name(d) in SILENT_DECORATORS]
                skipped += [node.returns] if node.returns else []
            case ast.ClassDef():
                skipped = [d for d in node.decorator_list if _name(d) in SILENT_DECORATORS]
            case ast.AnnAssign() | ast.arg():
                skipped = [node.annotation] if node.annotation else []
            case ast.Expr(value=ast.Constant(value=str())):
                skipped = [node.value]
            case ast.Assign(
                value=ast.Subscript(value=ast.Name(id="Callable" | "Literal" | "dict" | "tuple" | "NDArray"))
            ):
                skipped = [node.value]  # the alias of a type
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                skipped = [node.value]
            case ast.JoinedStr():
                skipped = [*node.values]
            case ast.Assert():
                return
            case ast.Assign(targets=[ast.Tuple()], value=ast.Tuple() as values):
                yield from values.elts
                return
            case ast.Call(func=ast.Name(id="zip")):
                skipped = [*node.keywords]
        yield from (child for child in ast.iter_child_nodes(node) if child not in skipped)

    def _own(self, node: ast.AST) -> Iterator[Replacement]:
        match node:
            case ast.Compare():
                yield from self._comparison(node)
            case ast.BinOp(op=ast.Div(), right=ast.JoinedStr() | ast.Constant(value=str())):
                pass  # a path
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                yield from self._between(left, right, _sign(op), BINARY[type(op)])
            case ast.BoolOp(op=op, values=values):
                words = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
                for left, right in itertools.pairwise(values):
                    yield from self._between(left, right, *words)
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield *self.text.span(node), self.text.of(operand)
            case ast.Constant(value=value):
                yield from self._constant(node, value)
            case ast.JoinedStr():
                yield *self.text.span(node), TEXT
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield from self._condition(test)
            case ast.comprehension(ifs=ifs):
                for test in ifs:
                    yield from self._condition(test)
            case ast.Expr(value=ast.Call()) | ast.Delete():
                yield *self.text.span(node), "pass"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield *self.text.span(node), "pass"
            case ast.AugAssign(target=target, op=op, value=value) if type(op) in BINARY:
                yield from self._between(target, value, f"{_sign(op)}=", "=")
                yield from self._between(target, value, f"{_sign(op)}=", f"{BINARY[type(op)]}=")
            case ast.For(iter=over):
                yield *self.text.span(over), "()"
            case ast.Break():
                yield *self.text.span(node), "continue"
            case ast.Continue():
                yield *self.text.span(node), "break"
            case ast.ExceptHandler(type=ast.Tuple()):
                pass  # each of them is left out, as of any tuple
            case ast.ExceptHandler(type=ast.expr() as kind):
                yield *self.text.span(kind), "()"
            case ast.Call():
                yield from self._call(node)
            case ast.Tuple(elts=[first, second], ctx=ast.Load()):
                (start, middle), (_, end) = self.text.span(first), self.text.span(second)
                yield start, end, f"{self.text.of(second)},"
                yield middle, end, ","
            case ast.Tuple(elts=elements, ctx=ast.Load()) | ast.List(elts=elements) | ast.Set(elts=elements):
                yield from self._without_one(elements)
            case ast.Dict(keys=keys, values=values):
                starts = [value if key is None else key for key, value in zip(keys, values, strict=True)]
                if all(key is not None for key in keys):
                    yield from self._without_one(starts, values)
        for decorator in getattr(node, "decorator_list", ()):
            if _name(decorator) not in SILENT_DECORATORS:
                start, end = self.text.span(decorator)
                yield start - 1, end, ""

    def _comparison(self, node: ast.Compare) -> Iterator[Replacement]:
        parts = [node.left, *node.comparators]
        for left, op, right in zip(parts, node.ops, parts[1:], strict=False):
            for new in COMPARISONS[type(op)]:
                yield from self._between(left, right, _sign(op), new)

    def _between(self, left: ast.expr, right: ast.expr, sign: str, new: str) -> Iterator[Replacement]:
        """``new`` for the ``sign`` that stands between two expressions."""
        (_, first), (last, _) = self.text.span(left), self.text.span(right)
        at = self.text.source.find(sign, first, last)
        if at >= 0:
            yield at, at + len(sign), new

    def _constant(self, node: ast.Constant, value: object) -> Iterator[Replacement]:
        match value:
            case bool():
                yield *self.text.span(node), str(not value)
            case int():
                yield *self.text.span(node), str(value + 1)
            case float():
                yield *self.text.span(node), repr(value * 2 if value else 1.0)
            case str():
                yield *self.text.span(node), TEXT

    def _condition(self, test: ast.expr) -> Iterator[Replacement]:
        """Turned over, where it is not a comparison or made of others, which are mutated themselves."""
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield *self.text.span(test), f"not ({self.text.of(test)})"

    def _call(self, node: ast.Call) -> Iterator[Replacement]:
        name = _name(node)
        if name in FUNCTIONS:
            end = self.text.span(node.func)[1]
            yield end - len(name), end, FUNCTIONS[name]
        parts: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        everything = sorted(parts, key=self.text.span)
        for i, each in enumerate(everything):
            if isinstance(each, ast.keyword) and each.arg is not None and name != "zip":
                yield from self._without(i, everything, everything)
        if name not in COMMUTATIVE:
            for left, right in zip(node.args, node.args[1:], strict=False):
                if type(left) is type(right) and isinstance(left, ast.Name | ast.Attribute | ast.Subscript):
                    a, b = self.text.span(left), self.text.span(right)
                    middle = self.text.source[a[1] : b[0]]
                    yield a[0], b[1], self.text.of(right) + middle + self.text.of(left)

    def _without_one(self, starts: Sequence[ast.expr], ends: Sequence[ast.expr] | None = None) -> Iterator[Replacement]:
        if len(starts) > 1:
            for i in range(len(starts)):
                yield from self._without(i, starts, ends or starts)

    def _without(
        self, i: int, starts: Sequence[ast.expr | ast.keyword], ends: Sequence[ast.expr | ast.keyword]
    ) -> Iterator[Replacement]:
        """The i-th of several, left out with its comma."""
        start, end = self.text.span(starts[i])[0], self.text.span(ends[i])[1]
        if i + 1 < len(starts):
            yield start, self.text.span(starts[i + 1])[0], ""
        elif i > 0:
            yield self.text.span(ends[i - 1])[1], end, ""
        else:
            yield start, end, ""


def _name(node: ast.AST) -> str:
    """By which a call, a decorator or a name is known."""
    match node:
        case ast.Call(func=func):
            return _name(func)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


_SIGNS: dict[type[ast.AST], str] = {
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="},
    **{ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"},
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**"},
    **{ast.MatMult: "@", ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitAnd: "&"},
}


def _sign(op: ast.AST) -> str:
    return _SIGNS[type(op)]
