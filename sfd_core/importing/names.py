"""Which names a checkpoint may ask for: those that tensors and plain containers need, and, as labels, the classes of
the networks that known origins pickle whole. No name is ever looked up, so a label cannot do anything either."""

from __future__ import annotations

import re
import reprlib

CONTAINERS = frozenset({"collections.OrderedDict", "torch.Size"})
SETS = frozenset({"builtins.set", "__builtin__.set", "builtins.frozenset"})
TENSOR = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
STORAGE_BYTES = "torch.storage._load_from_bytes"
STORAGES = {
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
"""torch's type of numbers, by the name that a storage of them is pickled under."""
READ = CONTAINERS | SETS | {TENSOR, PARAMETER, STORAGE_BYTES} | set(STORAGES)

PERSISTENT_CLASS = "torch_utils.persistence._reconstruct_persistent_obj"
"""What NVlabs' networks are pickled by, with the source of their classes beside them. Read as a label: the source is
never run."""
BYTES_OF_TEXT = "_codecs.encode"
"""How bytes are pickled by protocol 2, which has none: as text and the name of its code."""
_LABELS = frozenset(
    {
        PERSISTENT_CLASS,
        BYTES_OF_TEXT,
        "dnnlib.util.EasyDict",
        "diffusers.configuration_utils.FrozenDict",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "pathlib.PosixPath",
        "torch.device",
        "torch.float16",
        "torch.bfloat16",
        "torch.float32",
    }
)
_LABELLED_PACKAGES = ("torch.nn.modules.", "diffusers.models.")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")


def is_read(path: str) -> bool:
    """Say whether a pickle may ask for the name ``path``."""
    if path in READ or path in _LABELS:
        return True
    return path.startswith(_LABELLED_PACKAGES) and _DOTTED.fullmatch(path) is not None


def said(path: str) -> str:
    """Return a name as a message shows it: a long or an odd one is cut and escaped."""
    return path if _DOTTED.fullmatch(path) and len(path) <= 100 else ascii(reprlib.repr(path))[1:-1]
