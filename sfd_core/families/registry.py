"""The families that there are. A new one is a folder beside this module and a name here.

A family's folder has a plain half, ``DESCRIPTION`` in its ``__init__``, which the service reads without torch, and in
``family.py`` the half that loads, trains and samples, ``FAMILY``, which is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfd_core.base_model.config_checks import shown
from sfd_core.base_model.hub_layout import HubLayout
from sfd_core.base_model.manifest import MANIFEST, NAME, BaseModel, read_manifest
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


@dataclass(frozen=True)
class Registered:
    """The base models that were found. ``models``: by name. ``refused``: by the name of its folder, why one is none."""

    models: Mapping[str, BaseModel]
    refused: Mapping[str, str]


def registered(folders: Iterable[Path]) -> Registered:
    """Find the base models below ``folders``: each subfolder with a manifest is one, but for hidden ones, in which
    models are made. One that cannot be read is refused by itself. Of two of one name the first folder's is taken, and
    in it the one whose subfolder is called so: a model that is added takes no other's name.

    Raises:
        ModelRefused: for one of ``folders`` that cannot be read.
    """
    models: dict[str, BaseModel] = {}
    refused: dict[str, str] = {}
    for folder in folders:
        try:
            found = sorted(folder.iterdir())
        except OSError as error:
            raise ModelRefused(f"{folder}: not a folder that can be read: {error.strerror}") from None
        read: list[BaseModel] = []
        for path in found:
            if path.name.startswith("."):
                continue
            try:
                if (path / MANIFEST).exists():
                    read.append(_named(load_manifest(path)))
            except ModelRefused as error:
                refused[path.name] = str(error)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one model, the others are served
                refused[path.name] = f"{path}: cannot be read: {type(error).__name__}: {error}"
        for model in sorted(read, key=lambda model: model.name != model.folder.name):
            if (taken := models.setdefault(model.name, model)) is not model:
                refused[model.folder.name] = f"{model.folder}: {model.name!r} is already registered from {taken.folder}"
    return Registered(models, refused)


def _named(model: BaseModel) -> BaseModel:
    if NAME.fullmatch(model.name) is None:
        must = "must be letters, digits, '-', '_' and '.', at most 100"
        raise ModelRefused(f"{model.folder / MANIFEST}: name is {shown(model.name)}, {must}")
    return model
