"""What is changed in a module, what is left alone, and that a mutant takes the module's place."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from benchmarks.mutants.__main__ import Tried, said
from benchmarks.mutants.looked_at import EQUIVALENT
from benchmarks.mutants.modules import TESTS
from benchmarks.mutants.operators import Mutant, mutants
from benchmarks.shared.instead import ROOT, path_of, source_of


def changes(source: str) -> set[tuple[str, str]]:
    return {(mutant.before, mutant.after) for mutant in mutants(textwrap.dedent(source))}


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("a is not b", {"a is b"}),
        ("a + b ** c", {"a - b ** c", "a + b * c"}),
        ("a and b or c", {"a or b or c", "a and b and c"}),
        ("not a", {"a"}),
        ("-a", {"a"}),
        ("x = True", {"x = False"}),
        ("x = 7", {"x = 8"}),
        ("x = 1e-5", {"x = 2e-05"}),
        ("x = 'é' + 'b'", {"x = 'é' - 'b'", "x = \"mutant\" + 'b'", "x = 'é' + \"mutant\""}),
        ("x = f'{a} of {b}'", {'x = "mutant"'}),
        ("x = b if a else c", {"x = b if not (a) else c"}),
        ("x = [a for a in b if c]", {"x = [a for a in b if not (c)]"}),
        ("f(a)", {"pass"}),
        ("x.y = a", {"pass"}),
        ("x += a", {"x = a", "x -= a"}),
        ("x = f(a, b)", {"x = f(b, a)"}),
        ("x = f(a, k=b)", {"x = f(a)"}),
        ("x = f(k=a, l=b)", {"x = f(l=b)", "x = f(k=a)"}),
        ("x = max(a, b)", {"x = min(a, b)"}),
        ("x = (a, b)", {"x = (a,)", "x = (b,)"}),
        ("x = [a, b, c]", {"x = [b, c]", "x = [a, c]", "x = [a, b]"}),
        ("x = {a: b, c: d}", {"x = {c: d}", "x = {a: b}"}),
    ],
)
def test_one_thing_is_changed_at_a_time(line: str, after: set[str]) -> None:
    assert changes(line) == {(line, each) for each in after}


def test_loops_and_refusals() -> None:
    source = """
        for x in y:
            try:
                break
            except A:
                continue
            except (B, C):
                pass
        """
    assert changes(source) == {
        ("for x in y:", "for x in ():"),
        ("break", "continue"),
        ("except A:", "except ():"),
        ("continue", "break"),
        ("except (B, C):", "except (B,):"),
        ("except (B, C):", "except (C,):"),
    }


def test_what_behaviour_does_not_show_is_left_alone() -> None:
    source = '''
        """What it is."""
        from dataclasses import dataclass

        Kind = Literal["a", "b"]
        """Of two kinds."""

        @dataclass(frozen=True)
        class A:
            """A thing."""

            x: dict[str, 1 | 2]

            def f(self, x: int | None) -> tuple[int, str] | None:
                """Do it."""
                assert x is not None, "never"
                a, b = c, d
                return zip(a, b, strict=True)
        '''
    assert changes(source) == set()


def test_a_decorator_is_taken_off_and_several_lines_are_told_as_one() -> None:
    source = """
        @cached
        def f():
            return g(
                a=1,
                b=c,
            )
        """
    found = changes(source)
    assert ("@cached", "") in found
    assert ("a=1, b=c,", "b=c,") in found


def test_every_module_and_each_of_its_tests_is_there() -> None:
    for module, tests in TESTS.items():
        assert path_of(module).is_file()
        assert all((ROOT / test).is_file() for test in tests), module


def test_every_mutant_that_was_looked_at_is_one() -> None:
    """A line that has changed since is to be looked at again."""
    modules = {module for module, _ in EQUIVALENT}
    found = {(module, mutant.change) for module in modules for mutant in mutants(source_of(module))}
    assert set(EQUIVALENT) <= found


def test_what_is_left_out_is_told_as_such() -> None:
    (mutant,) = mutants("f(a)")
    assert (mutant.after, mutant.change) == ("pass", "without f(a)")


def test_the_page_counts_apart_what_no_test_could_tell() -> None:
    (module, line), why = next(iter(EQUIVALENT.items()))
    known, missed = Mutant(3, "before", line, ""), Mutant(5, "x | y", "x & y", "")
    result = Tried(module, 21, [known, missed], 2.0)
    assert result.missed == 1 / 20
    page = said([result, Tried("other", 10, [], 1.0)])
    assert f"| `{module}` | 21 | 19 | 2 | 1 | 9.5% | 5.0% | 2 |" in page
    assert "| all | 31 | 29 | 2 | 1 | 6.5% | 3.3% | 3 |" in page
    assert f"| 3 | `` before `` | `` {line} `` | {why} |" in page
    assert r"| 5 | `` x \| y `` | `` x & y `` | **no test** |" in page
    assert "`other`\n\n" not in page


def test_the_text_of_a_module_is_read_from_this_tree() -> None:
    assert path_of("jobs.states") == Path(__file__).resolve().parents[3] / "jobs/states.py"
