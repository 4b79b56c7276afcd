"""Of which family the model in a folder is: the descriptions of the families are asked. Plain: importing this does not
import torch."""

from __future__ import annotations

from pathlib import Path

from sfd_core.base_model.layout import INDEX, SCHEDULER, FolderLayout, class_named
from sfd_core.errors import ModelRefused
from sfd_core.families.description import Description
from sfd_core.families.registry import NAMES, describe
from sfd_core.text_files import read_json


def family_of_folder(folder: Path) -> tuple[Description, FolderLayout]:
    """Find the family of the model in ``folder``, with what is read of it. Where several have such a network, it is the
    one that has its scheduler too.

    Raises:
        ModelRefused: for a folder of none, saying what it is taken for.
    """
    if not folder.is_dir():
        raise ModelRefused(f"{folder}: no such folder")
    known = [(description, layout) for description in map(describe, NAMES) for layout in description.layouts]
    fitting = [pair for pair in known if pair[1].fits(folder)]
    whole = [pair for pair in fitting if pair[1].fits_whole(folder)]
    if not fitting:
        raise ModelRefused(f"{folder}: {_taken_for(folder, known)}; what can be added is {_what_is_known(known)}")
    return (whole or fitting)[0]


def _what_is_known(known: list[tuple[Description, FolderLayout]]) -> str:
    """Every family with how its folders are known."""
    families = (
        f"{description.name} ({INDEX} of a {layout.pipeline})"
        if layout.pipeline is not None
        else f"{description.name} ({layout.configs[0]} of a {' or a '.join(layout.networks)})"
        for description, layout in known
    )
    return "; ".join(dict.fromkeys(families))


def _taken_for(folder: Path, known: list[tuple[Description, FolderLayout]]) -> str:
    """What there is in place of a model that is known."""
    pipeline, alone = class_named(folder / INDEX), class_named(folder / "config.json")
    within = sorted(path.parent.name for path in folder.glob("*/config.json") if class_named(path) is not None)
    if pipeline is not None:
        networks = ", ".join(f"{name} of a {class_named(folder / name / 'config.json')}" for name in within)
        said = f", with {networks}," if within else ","
        return f"its {INDEX} is that of a {pipeline}{said} which no family reads"
    if (folder / INDEX).is_file():
        return f"its {INDEX} {_why_silent(folder / INDEX)}"
    if alone is not None:
        rooms = {Path(layout.configs[0]).parent.as_posix() for _, layout in known if alone in layout.networks}
        if not rooms:
            return f"it holds one network, a {alone}, and nothing else: name the folder of the whole pipeline"
        return (
            f"it holds one network, a {alone}, and nothing else: put its files into {' or '.join(sorted(rooms))}/, and "
            f"beside that {SCHEDULER}, which says what it was trained with"
        )
    if any(folder.glob("*lora*.safetensors")) or (folder / "adapter_config.json").is_file():
        return "it holds an adapter, which is no model by itself: merge it into its base model and save that"
    if within:
        return f"it has no {INDEX} and its networks are {', '.join(within)}"
    if (folder / "config.json").is_file():
        return "its config.json names no network of diffusers; an image classifier is given beside a model, by --judge"
    if any(folder.glob("*.safetensors")):
        return "it holds weights without a configuration: name the one .safetensors file itself"
    return f"it has neither {INDEX} nor a network's config.json in a folder of its own"


def _why_silent(index: Path) -> str:
    """Why a file that is there names no class."""
    try:
        read = read_json(index)
    except (OSError, ValueError, RecursionError) as error:
        return f"is not readable as JSON: {error}"
    return "names no pipeline (_class_name)" if isinstance(read, dict) else "must be a JSON object"
