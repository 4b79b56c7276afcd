"""Pickles, read as data. The machine that a pickle is a program for, without the parts that do anything: it knows
no way to import, to look up or to call. What a pickle asks to be made becomes a tensor, a plain container or a
:class:`~sfd_core.importing.inert.Record` of it; a name that is none of :mod:`sfd_core.importing.names` is refused.

Opcodes are those of protocol 2 to 5 (``pickletools`` describes each).
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any

from sfd_core.errors import ModelRefused
from sfd_core.importing.inert import Name, PersistentId, Record
from sfd_core.importing.names import CONTAINERS, SETS, is_read, said
from sfd_core.importing.reader import MAX_NAME, Reader

MAX_STEPS = 5_000_000
MAX_STACK = 1 << 20
MAX_NUMBER_BYTES = 64
PROTOCOLS = range(2, 6)
_MARK = object()
_KEYS = (str, int, float, type(None), Name)

Make = Callable[[Record], Any]
"""Makes what a record stands for, where that is a tensor; else returns the record."""
Fetch = Callable[[PersistentId], Any]
"""Fetches what a persistent id stands for."""


class Machine:
    """One pickle in ``data``, from ``start`` on. ``at``: how messages name the file. After :meth:`run`, the ``reader``
    is where the pickle ended."""

    def __init__(self, data: memoryview, start: int, at: str, make: Make, fetch: Fetch) -> None:
        self.reader, self.at = Reader(data, start, at), at
        self.make, self.fetch = make, fetch
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.left = MAX_STEPS

    def run(self) -> Any:
        """Return the object that the pickle describes.

        Raises:
            ModelRefused: naming the file, and what in it is refused.
        """
        if not self._starts_as_protocol():
            raise ModelRefused(f"{self.at}: no pickle of protocol {PROTOCOLS[0]} to {PROTOCOLS[-1]} begins here")
        while True:
            self._spend(1)
            code = self.reader.byte()
            if code == _STOP:
                return self._pop()
            step = _STEPS.get(code)
            if step is None:
                raise ModelRefused(f"{self.at}: holds the opcode {_name_of(code)}, which no checkpoint needs")
            step(self)
            if len(self.stack) > MAX_STACK:
                raise self.reader.refused(f"more than {MAX_STACK} values are on its stack")

    def _spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise self.reader.refused(f"it has more than {MAX_STEPS} steps")

    def _starts_as_protocol(self) -> bool:
        data, start = self.reader.data, self.reader.position
        first = bytes(data[start : start + 2])
        return len(first) == 2 and first[0] == 0x80 and first[1] in PROTOCOLS

    # The stack

    def _pop(self) -> Any:
        if not self.stack:
            raise self.reader.refused("it takes more from its stack than there is")
        return self.stack.pop()

    def _value(self) -> Any:
        """Pop what must not be a mark."""
        value = self._pop()
        if value is _MARK:
            raise self.reader.refused("it takes a mark for a value")
        return value

    def _top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise self.reader.refused("there is nothing on its stack")
        return self.stack[-1]

    def _since_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                found = self.stack[i + 1 :]
                del self.stack[i:]
                return found
        raise self.reader.refused("it looks for a mark that was never set")

    # What a pickle asks for

    def _named(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise self.reader.refused("a name is not text")
        path = f"{module}.{name}"
        if not is_read(path):
            raise ModelRefused(
                f"{self.at}: asks for {said(path)}. Tensors and plain containers are read and nothing else, "
                "since a pickle that may ask for any name may run anything; nothing of it was run. If you trust "
                "where it comes from, open it with the program that wrote it and save its state dict alone (torch.save)"
            )
        self.stack.append(Name(path))

    def _make(self, arguments: Any, name: Any) -> None:
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise self.reader.refused("it calls what is no name, or with what is no tuple")
        if name.path in CONTAINERS or name.path in SETS:
            self.stack.append(self._container(name.path, arguments))
        else:
            self.stack.append(self.make(Record(name.path, arguments)))

    def _container(self, path: str, arguments: tuple[Any, ...]) -> Any:
        given = arguments[0] if arguments else ()
        if len(arguments) > 1 or not isinstance(given, list | tuple):
            raise self.reader.refused(f"{path} is made of what it is not made of")
        self._spend(len(given))
        if path in SETS:
            return {self._key(item) for item in given}
        if path == "torch.Size":
            return tuple(given)
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in given):
            raise self.reader.refused(f"{path} is made of what are no pairs")
        return {self._key(key): value for key, value in given}

    def _key(self, key: Any) -> Any:
        """A key that is looked at in bounded time: tuples within tuples are not."""
        flat = key if isinstance(key, tuple) else (key,)
        if len(flat) > MAX_NAME or not all(isinstance(part, _KEYS) for part in flat):
            raise self.reader.refused("a key is no text, no number and no tuple of these")
        return key

    def _build(self) -> None:
        state, made = self._value(), self._top()
        if isinstance(made, Record):
            made.state = state
        elif not isinstance(made, dict):  # the state of an OrderedDict is torch's note of versions
            raise self.reader.refused("it gives a state to what has none")

    def _extend(self, found: list[Any]) -> None:
        made = self._top()
        target = made.items if isinstance(made, Record) else made
        if not isinstance(target, list):
            raise self.reader.refused("it appends to what is no list")
        target.extend(found)

    def _update(self, found: list[Any]) -> None:
        made = self._top()
        target = made.entries if isinstance(made, Record) else made
        if not isinstance(target, dict) or len(found) % 2:
            raise self.reader.refused("it sets items of what is no dict, or one without a value")
        for key, value in zip(found[::2], found[1::2], strict=True):
            target[self._key(key)] = value

    def _add(self, found: list[Any]) -> None:
        made = self._top()
        if not isinstance(made, set):
            raise self.reader.refused("it adds to what is no set")
        made.update(self._key(item) for item in found)

    def _dict(self, found: list[Any]) -> None:
        self.stack.append({})
        self._update(found)

    def _store(self, index: int) -> None:
        self.memo[index] = self._top()

    def _recall(self, index: int) -> None:
        if index not in self.memo:
            raise self.reader.refused(f"it recalls value {index}, which it has not stored")
        self.stack.append(self.memo[index])

    def _pair(self) -> tuple[Any, Any]:
        second, first = self._value(), self._value()
        return first, second

    def _new_with_keywords(self) -> None:
        keywords = self._value()
        if keywords != {}:
            raise self.reader.refused("an object is made with keywords")
        self._make(self._value(), self._value())

    def _tuple(self, n: int) -> None:
        found = tuple(self._value() for _ in range(n))
        self.stack.append(found[::-1])

    def _whole(self, piece: memoryview) -> None:
        self.stack.append(int.from_bytes(piece, "little", signed=True))

    def _protocol(self) -> None:
        if self.reader.byte() not in PROTOCOLS:
            raise self.reader.refused("a protocol that is not read")

    def _pop_any(self) -> None:
        self._pop()


def _name_of(code: int) -> str:
    known = pickletools.code2op.get(chr(code))  # type: ignore[attr-defined]
    return known.name if known is not None else f"0x{code:02x}"


def _push(value: Any) -> Callable[[Machine], None]:
    return lambda m: m.stack.append(value)


_STOP = ord(".")
_WRITTEN: dict[str, Callable[[Machine], Any]] = {
    "\x80": Machine._protocol,
    "\x95": lambda m: m.reader.take(8),  # a frame: only how the file is read ahead
    "(": _push(_MARK),
    "0": Machine._pop_any,
    "1": Machine._since_mark,
    "2": lambda m: m.stack.append(m._top()),
    "N": _push(None),
    "\x88": _push(True),
    "\x89": _push(False),
    "J": lambda m: m.stack.append(m.reader.number("<i")),
    "K": lambda m: m.stack.append(m.reader.byte()),
    "M": lambda m: m.stack.append(m.reader.number("<H")),
    "\x8a": lambda m: m._whole(m.reader.sized("<B", MAX_NUMBER_BYTES)),
    "\x8b": lambda m: m._whole(m.reader.sized("<I", MAX_NUMBER_BYTES)),
    "G": lambda m: m.stack.append(m.reader.number(">d")),
    "\x8c": lambda m: m.stack.append(m.reader.text("<B")),
    "X": lambda m: m.stack.append(m.reader.text("<I")),
    "\x8d": lambda m: m.stack.append(m.reader.text("<Q")),
    "U": lambda m: m.stack.append(m.reader.text("<B")),
    "T": lambda m: m.stack.append(m.reader.text("<I")),
    "C": lambda m: m.stack.append(m.reader.sized("<B")),
    "B": lambda m: m.stack.append(m.reader.sized("<I")),
    "\x8e": lambda m: m.stack.append(m.reader.sized("<Q")),
    "\x96": lambda m: m.stack.append(m.reader.sized("<Q")),
    "]": lambda m: m.stack.append([]),
    ")": _push(()),
    "}": lambda m: m.stack.append({}),
    "\x8f": lambda m: m.stack.append(set()),
    "\x91": lambda m: m.stack.append(frozenset(m._key(item) for item in m._since_mark())),
    "a": lambda m: m._extend([m._value()]),
    "e": lambda m: m._extend(m._since_mark()),
    "s": lambda m: m._update(list(m._pair())),
    "u": lambda m: m._update(m._since_mark()),
    "\x90": lambda m: m._add(m._since_mark()),
    "t": lambda m: m.stack.append(tuple(m._since_mark())),
    "l": lambda m: m.stack.append(m._since_mark()),
    "d": lambda m: m._dict(m._since_mark()),
    "\x85": lambda m: m._tuple(1),
    "\x86": lambda m: m._tuple(2),
    "\x87": lambda m: m._tuple(3),
    "h": lambda m: m._recall(m.reader.byte()),
    "j": lambda m: m._recall(m.reader.number("<I")),
    "q": lambda m: m._store(m.reader.byte()),
    "r": lambda m: m._store(m.reader.number("<I")),
    "\x94": lambda m: m._store(len(m.memo)),
    "c": lambda m: m._named(m.reader.line(), m.reader.line()),
    "\x93": lambda m: m._named(*m._pair()),
    "R": lambda m: m._make(m._value(), m._value()),
    "\x81": lambda m: m._make(m._value(), m._value()),
    "\x92": Machine._new_with_keywords,
    "b": Machine._build,
    "Q": lambda m: m.stack.append(m.fetch(PersistentId(m._value()))),
}
_STEPS = {ord(code): step for code, step in _WRITTEN.items()}
"""What each opcode does. Those that are not here (INST, OBJ, EXT, the text forms of protocol 0) are refused."""
