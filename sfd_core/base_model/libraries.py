"""Networks and tokenizers that their own libraries load, which know the names that older checkpoints gave to weights.

A library opens what it finds in a folder and what a configuration names. So it is given a folder of its own, with the
files that were checked and a configuration of the fields that the class has, and nothing else.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig

from sfd_core.base_model.config_checks import check_sizes
from sfd_core.base_model.configs import CONFIG, check_class, read_config, refuse_link_out
from sfd_core.base_model.layout import MAX_TOKENIZER_BYTES, PAIRS, WHOLE
from sfd_core.base_model.safe_files import check_finite, check_names, check_readable, few_modules
from sfd_core.errors import ModelRefused

_OF_ALL = frozenset({"_class_name", "_diffusers_version", "model_type", "num_labels", "torch_dtype"})
_TOKENIZER_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json")
_ADDED = "added_tokens.json"


def load_pretrained(kind: type[Any], folder: Path, weights: str) -> Any:
    """Load a stock network in float32 on the CPU as its own library does.

    Raises:
        ModelRefused: for a network of another kind, and as :func:`load_known`.
    """
    check_class(folder, kind.__module__.partition(".")[0], kind.__name__)
    return load_known(kind, folder, weights, read_config(folder / CONFIG))


def load_known(kind: type[Any], folder: Path, weights: str, config: Mapping[str, Any]) -> Any:
    """Load a network of ``kind`` from ``config`` and the ``weights`` in ``folder``, in float32 on the CPU.

    Raises:
        ModelRefused: for files that are not read or do not fit it, and weights that are not finite.
    """
    check_sizes(folder / CONFIG, config)
    check_readable(folder / weights)
    said = known_fields(kind, config)
    with _alone({CONFIG: said}, [folder / weights]) as alone, few_modules():
        try:
            network, found = kind.from_pretrained(
                alone,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are said in ``found``, and refused
            )
        except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
            said_so = str(error).replace(str(alone), str(folder))
            raise ModelRefused(f"{folder}: no {kind.__name__} can be read from it: {said_so}") from None
    # What a library only warns of, and makes up by chance.
    check_names(found["missing_keys"], found["unexpected_keys"], found["mismatched_keys"], folder / weights)
    check_finite(network.state_dict(), folder / weights)
    return network


def known_fields(kind: type[Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``config`` says in fields that configurations of ``kind`` have. What else stands there is for other
    classes, for other libraries, or to have something else read."""
    config_class: type[PreTrainedConfig] | None = getattr(kind, "config_class", None)
    if config_class is None:  # diffusers: what the network is made with
        known = set(inspect.signature(kind.__init__).parameters)
    else:
        known = {field.name for field in dataclasses.fields(config_class)} | set(config_class.attribute_map)
    return {name: value for name, value in config.items() if name in known | _OF_ALL}


def load_tokenizer(folder: Path, kind: type[Any], name: str, known: int) -> Any:
    """Load a tokenizer of transformers' class ``kind`` for a text encoder that knows so many tokens. ``name``: what its
    tokenizers are called in a message.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    files = [path for names in (WHOLE, PAIRS, (_ADDED,)) for each in names if (path := folder / each).exists()]
    for path in files:
        _check_file(path)
    configs = {each: _without_files(folder / each) for each in _TOKENIZER_CONFIGS if (folder / each).exists()}
    with _alone(configs, files) as alone:
        try:
            read = kind.from_pretrained(alone, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
            said = str(error).replace(str(alone), str(folder))
            raise ModelRefused(f"{folder}: no {name} tokenizer can be read from it: {said}") from None
    cat, dog = (read.backend_tokenizer.encode(text).ids for text in ("a cat", "b dog"))
    if cat == dog:  # its class makes one up where a file is without words
        raise ModelRefused(f"{folder}: the {name} tokenizer reads 'a cat' as it reads 'b dog': its files have no words")
    # The file numbers its tokens as it likes, with gaps or without.
    if known < (numbers := max(read.get_vocab().values(), default=-1) + 1):
        raise ModelRefused(f"{folder}: {numbers} tokens, the text encoder knows {known}")
    return read


def _check_file(path: Path) -> None:
    refuse_link_out(path)
    if not path.is_file():
        raise ModelRefused(f"{path}: not a plain file")
    if path.stat().st_size > MAX_TOKENIZER_BYTES:
        raise ModelRefused(f"{path}: larger than {MAX_TOKENIZER_BYTES} bytes")


def _without_files(path: Path) -> dict[str, Any]:
    """What a tokenizer's configuration says, without the files that it names: they lie beside it, or are not read."""
    return {name: value for name, value in read_config(path).items() if not name.endswith("_file")}


@contextmanager
def _alone(configs: Mapping[str, Mapping[str, Any]], files: Collection[Path]) -> Iterator[Path]:
    """A folder with these configurations and links to these files, and with nothing else."""
    with tempfile.TemporaryDirectory(prefix="lethe-load-") as name:
        folder = Path(name)
        for file, said in configs.items():
            (folder / file).write_text(json.dumps(said))
        for path in files:
            (folder / path.name).symlink_to(path.resolve())
        yield folder
