"""The families that there are. A new one is a folder beside this module and a name here.

A family's folder has a plain half, ``DESCRIPTION`` in its ``__init__``, which the service reads without torch, and in
``family.py`` the half that loads, trains and samples, ``FAMILY``, which is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfd_core.base_model.hub_layout import HubLayout
from sfd_core.base_model.manifest import MANIFEST, BaseModel, read_manifest
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.families.description import Description
from sfd_core.request.reading import read
from sfd_core.request.recipe import Recipe, completed

if TYPE_CHECKING:
    from sfd_core.families.protocol import Family

NAMES = ("class_unet", "dit", "edm", "flow", "stable_diffusion", "sdxl")
UNSAID = "stable_diffusion"
"""The family of a hub's model where nobody said it: for long there was no other."""


def describe(name: str) -> Description:
    """Return the plain half of the family ``name``. ``KeyError`` if there is no such family."""
    if name not in NAMES:
        raise KeyError(name)
    description: Description = import_module(f"{__package__}.{name}").DESCRIPTION
    return description


def family_of(name: str) -> Family:
    """Return the half that loads, trains and samples. ``KeyError`` if there is no such family."""
    family: Family = import_module(f"{__package__}.{describe(name).name}.family").FAMILY
    return family


def family_of_published(index: Mapping[str, Any]) -> Description | None:
    """Find the family whose published generators have such a ``model_index.json``."""
    return next((family for name in NAMES if (family := describe(name)).published(index)), None)


def hub_layouts() -> Sequence[HubLayout]:
    """Return what is fetched of a hub, by the first layout that fits."""
    return [layout for name in NAMES for layout in describe(name).hubs]


def hub_families() -> Sequence[str]:
    """Return the families of which models are fetched of a hub."""
    return [name for name in NAMES if describe(name).hubs]


def unfetched(family: str, name: str, title: str) -> BaseModel:
    """Return a hub's model of ``family`` as it is known before it is fetched: by its name alone. What a request may
    say, and what it leaves unsaid, is the family's, so whoever allows the model says which it is of. (One that
    is asked by class would have to be told its classes and judges too.)"""
    return describe(family).hubs[0].unfetched(name, title)


def load_manifest(folder: Path) -> BaseModel:
    """Read and check ``folder/manifest.json``, as :func:`sfd_core.base_model.manifest.read_manifest`, and hold the
    recipe that it recommends against its family's.

    Raises:
        ModelRefused: naming the file and the field.
    """
    model = read_manifest(folder, {name: describe(name).conditions for name in NAMES})
    try:
        recipe_of(model.family, model.recipe)
    except InvalidRequest as error:
        raise ModelRefused(f"{folder / MANIFEST}: recipe: {error}") from None
    return model


def recipe_of(
    family: str, recommended: Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None
) -> Recipe:
    """Return the family's recipe with ``changes`` applied, over what a base model itself recommends.

    Raises:
        InvalidRequest: for an unknown key, a value of the wrong type or outside its range, settings that mean nothing
            to the family, or times that contradict each other; pointers start at ``/recipe``.
    """
    described = describe(family)
    recipe = read(Recipe, completed(described.recipe, recommended or {}, changes or {}), "/recipe")
    described.check_settings(recipe)
    return recipe


def registered(folders: Iterable[Path]) -> dict[str, BaseModel]:
    """Find the base models below ``folders``, by name: each subfolder with a manifest is one, but for hidden ones, in
    which models are made.

    Raises:
        ModelRefused: for a manifest that cannot be read, or two models of one name.
    """
    models: dict[str, BaseModel] = {}
    for folder in folders:
        if not folder.is_dir():
            raise ModelRefused(f"{folder}: not a folder")
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or not (path / MANIFEST).is_file():
                continue
            model = load_manifest(path)
            if model.name in models:
                raise ModelRefused(f"{path}: {model.name!r} is already registered from {models[model.name].folder}")
            models[model.name] = model
    return models
