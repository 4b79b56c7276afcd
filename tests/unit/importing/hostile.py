"""Pickles that run something when they are opened as pickles, and pickles that lie about their sizes. Each that runs
something touches a file, and nothing else."""

from __future__ import annotations

import io
import pickle
import struct
import types
import zipfile
from collections.abc import Callable
from pathlib import Path

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def text(value: str) -> bytes:
    """Push text."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def named(module: str, name: str) -> bytes:
    """Push what a name stands for."""
    return f"c{module}\n{name}\n".encode()


def stack_named(module: str, name: str) -> bytes:
    """The same by STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


def call(module: str, name: str, *arguments: bytes) -> bytes:
    """Call it with what these push."""
    return named(module, name) + b"(" + b"".join(arguments) + b"tR"


def whole(body: bytes, protocol: int = 4) -> bytes:
    """A pickle of this body."""
    return b"\x80" + bytes([protocol]) + body + b"."


def older(body: bytes) -> bytes:
    """A file in torch's older form, whose object is this pickle."""
    head = [pickle.dumps(part, protocol=2) for part in (MAGIC, PROTOCOL, SYSTEM)]
    return b"".join([*head, body, pickle.dumps([], protocol=2)])


def archive(body: bytes, **members: bytes) -> bytes:
    """A torch archive, whose object is this pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in {"data.pkl": body, "byteorder": b"little", "version": b"3\n", **members}.items():
            file.writestr(f"archive/{name.replace('__', '/')}", data)
    return out.getvalue()


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {"bare": lambda body: body, "archive": archive, "older": older}


def _code(canary: Path) -> bytes:
    """Push a code object that touches the canary."""
    code = compile(f"open({str(canary)!r}, 'w').close()", "<hostile>", "exec")
    kept = (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_nlocals,
        code.co_stacksize,
        code.co_flags,
        code.co_code,
        code.co_consts,
        code.co_names,
        code.co_varnames,
        code.co_filename,
        code.co_name,
        code.co_qualname,
        code.co_firstlineno,
        code.co_linetable,
        code.co_exceptiontable,
    )
    assert isinstance(code, types.CodeType)
    return named("types", "CodeType") + pickle.dumps(kept, protocol=4)[2:-1].replace(b"\x95", b"\x95", 0) + b"R"


def running(canary: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that touch ``canary`` when ``pickle.loads`` opens them, each with the name that its refusal must have."""
    touch, python = text(f"touch {canary}"), text(f"open({str(canary)!r}, 'w').close()")
    system = named("os", "system")
    ran = whole(call("os", "system", touch))
    script = canary.with_suffix(".py")
    script.write_text(f"open({str(canary)!r}, 'w').close()")
    holder = named("argparse", "Namespace") + b")\x81"
    inner = io.BytesIO()
    for part in (MAGIC, PROTOCOL, SYSTEM):
        pickle.dump(part, inner, protocol=2)
    inner.write(ran + pickle.dumps([], protocol=2))
    raw = inner.getvalue()
    return {
        "os.system by REDUCE": (ran, "os.system"),
        "posix.system": (whole(call("posix", "system", touch)), "posix.system"),
        "eval": (whole(call("builtins", "eval", python)), "builtins.eval"),
        "exec": (whole(call("builtins", "exec", python)), "builtins.exec"),
        "eval of Python 2's name": (whole(call("__builtin__", "eval", python), 2), "__builtin__.eval"),
        "import and getattr": (
            whole(
                call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system"))
                + b"("
                + touch
                + b"tR"
            ),
            "builtins.getattr",
        ),
        "subprocess": (whole(call("subprocess", "getoutput", touch)), "subprocess.getoutput"),
        "the attribute of a name (STACK_GLOBAL)": (
            whole(stack_named("builtins", "eval.__call__") + b"(" + python + b"tR"),
            "builtins.eval.__call__",
        ),
        "a name within an allowed module": (
            whole(stack_named("torch.serialization", "os.system") + b"(" + touch + b"tR"),
            "torch.serialization.os.system",
        ),
        "INST": (b"\x80\x02(" + touch + b"ios\nsystem\n.", "INST"),
        "OBJ": (b"\x80\x02(" + system + touch + b"o.", "OBJ"),
        "NEWOBJ": (whole(named("subprocess", "Popen") + b")\x81" + call("os", "system", touch)), "subprocess.Popen"),
        "NEWOBJ_EX": (
            whole(named("argparse", "Namespace") + b")}\x92" + call("os", "system", touch)),
            "argparse.Namespace",
        ),
        "BUILD by __setstate__": (
            whole(holder + b"}" + text("__setstate__") + system + b"sb" + touch + b"b"),
            "argparse.Namespace",
        ),
        "copyreg": (
            whole(
                call("copyreg", "_reconstructor", named("builtins", "object"), named("builtins", "object"), b"N")
                + call("os", "system", touch)
            ),
            "copyreg._reconstructor",
        ),
        "functools.partial": (whole(call("functools", "partial", system, touch) + b")R"), "functools.partial"),
        "operator.attrgetter": (
            whole(
                call("operator", "attrgetter", text("system"))
                + b"("
                + call("importlib", "import_module", text("os"))
                + b"tR("
                + touch
                + b"tR"
            ),
            "operator.attrgetter",
        ),
        "operator.methodcaller": (
            whole(
                call("operator", "methodcaller", text("system"), touch)
                + b"("
                + call("importlib", "import_module", text("os"))
                + b"tR"
            ),
            "operator.methodcaller",
        ),
        "runpy": (whole(call("runpy", "run_path", text(str(script)))), "runpy.run_path"),
        "timeit": (
            whole(call("timeit", "timeit", python, text("pass"), named("time", "time"), b"K\x01")),
            "timeit.timeit",
        ),
        "a pickle in a pickle": (
            whole(call("pickle", "loads", b"B" + struct.pack("<I", len(ran)) + ran)),
            "pickle.loads",
        ),
        "numbers that are a pickle": (
            whole(call("torch.storage", "_load_from_bytes", b"B" + struct.pack("<I", len(raw)) + raw)),
            "os.system",
        ),
        "a function made of code": (
            whole(
                named("types", "FunctionType")
                + b"("
                + _code(canary)
                + b"}"
                + text("__builtins__")
                + named("builtins", "__dict__")
                + b"stR)R"
            ),
            "types.FunctionType",
        ),
        "map": (whole(call("builtins", "list", call("builtins", "map", system, b"(" + touch + b"l"))), "builtins.list"),
        "an object of numpy": (
            whole(call("numpy.testing._private.utils", "runstring", python, b"}")),
            "numpy.testing._private.utils.runstring",
        ),
    }


ONLY_NAMED = (
    "webbrowser.open",
    "ctypes.CDLL",
    "importlib.import_module",
    "pdb.run",
    "cProfile.run",
    "code.InteractiveInterpreter",
    "shutil.rmtree",
    "socket.create_connection",
    "types.CodeType",
    "numpy.core.multiarray._reconstruct",
    "numpy.load",
    "torch.load",
    "torch.jit.load",
    "torch.hub.load",
    "torch.serialization.load",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch.package.PackageImporter",
    "torch.nn.modules",
    "torch.nn.modulesx.Linear",
    "torch.nn.modules.a-b",
    "torch.nn.modules..os",
    "diffusers.utils.import_utils.os",
    "builtins.getattr",
    "_codecs.decode",
    "_codecs.register",
    "weakref.finalize",
)
