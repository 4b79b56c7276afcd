"""The command line of a benchmark: its docstring as help, its options, and ``--quick``, which only makes sizes small.

A benchmark declares its options with two values, the published one and the quick one, and has one function that takes
them and returns its main figure. The quick form therefore runs the same code.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared.page import made_by

FIGURE = "main figure: "
"""Starts the last line of a benchmark's output."""
_SAME: Any = object()


class Option:
    """An option with its published value and the one of the quick form.

    ``default`` decides what is read: a flag where it is False, several values where it is a tuple, else one of its own
    type. ``kind``: how a value is read where the default does not say. A name without dashes is positional.
    """

    def __init__(
        self,
        name: str,
        default: Any,
        help: str,
        *,
        quick: Any = _SAME,
        kind: Callable[[str], Any] | None = None,
        choices: Sequence[Any] | None = None,
    ) -> None:
        self.name, self.default, self.help, self.choices = name, default, help, choices
        self.quick = default if quick is _SAME else quick
        self.kind = kind

    @property
    def attribute(self) -> str:
        """What the parsed value is called."""
        return self.name.lstrip("-").replace("-", "_")

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Declare the option, with both values in its help."""
        if self.default is False:
            parser.add_argument(self.name, action="store_true", help=self.help)
            return
        several = isinstance(self.default, tuple)
        settings: dict[str, Any] = {"default": self.default, "help": self._help(), "type": self._read}
        if several:
            settings["nargs"] = "+" if self.name.startswith("-") else "*"
        parser.add_argument(self.name, **settings)

    def _read(self, text: str) -> Any:
        kind = self.kind or type(self.default[0] if isinstance(self.default, tuple) else self.default)
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no {getattr(kind, '__name__', kind)}") from None
        if self.choices is not None and value not in self.choices:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(map(str, self.choices))}")
        return value

    def _help(self) -> str:
        said = [] if self.default is None else [f"default: {_said(self.default)}"]
        if self.quick != self.default:
            said.append(f"quick: {_said(self.quick)}")
        return self.help.replace("%", "%%") + (f" ({'; '.join(said)})" if said else "")


class Folder(Option):
    """A folder that results are kept in; the quick form has a temporary one, which is removed at the end."""

    def __init__(self, name: str, default: Path, help: str) -> None:
        super().__init__(name, default, help, quick=None)

    def _help(self) -> str:
        return f"{self.help} (default: {self.default}; quick: a temporary folder)"


OUT = Folder("--out", Path("docs/results"), "where the page is written")


class Command:
    """A benchmark's command line. ``name``: its module's, below ``benchmarks``; ``doc``: its docstring."""

    def __init__(self, name: str, doc: str | None, *options: Option) -> None:
        self.name, self.doc, self.options = name, doc or "", options

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.partition("\n")[0]

    def parser(self, quick: bool) -> argparse.ArgumentParser:
        """Read the options, with the defaults of the published or of the ``quick`` form."""
        parser = argparse.ArgumentParser(
            f"python -m benchmarks.{self.name}",
            description=self.doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.add_argument("--quick", action="store_true", help="in seconds: the same code over small sizes")
        for option in self.options:
            option.add_to(parser)
        if quick:
            parser.set_defaults(**{option.attribute: option.quick for option in self.options})
        return parser

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Read the values of ``arguments``. Exits with what is wrong with them, or with the help if that is asked
        for."""
        return self.parser("--quick" in arguments).parse_args(arguments)

    def main(self, run: Callable[[argparse.Namespace], str]) -> None:
        """Read ``sys.argv``, run, and print the main figure that ``run`` returns."""
        arguments = self.parse(sys.argv[1:])
        if OUT not in self.options:  # a page says it itself
            print(made_by(), flush=True)
        if arguments.quick:
            print(
                "Quick form: the same code over small sizes. Its figures show that it runs, nothing else.", flush=True
            )
        scratch = Path(tempfile.mkdtemp(prefix="lethe-benchmark-"))
        try:
            for option in self.options:
                if isinstance(option, Folder) and getattr(arguments, option.attribute) is None:
                    setattr(arguments, option.attribute, scratch / option.attribute)
            figure = run(arguments)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        print(f"{FIGURE}{figure}")


def _said(value: Any) -> str:
    return " ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)
