"""What the commands of ``lethe models`` share that work on this machine: where models are, and what is said of one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from cli.connection import client_of
from jobs.hub_models import PREFIX, hub_folder
from jobs.settings import Settings
from sfd_core.base_model.hub_name import parse_hub_name
from sfd_core.base_model.manifest import MANIFEST, BaseModel
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.families.registry import load_manifest
from sfd_core.suggestions import unknown


def own_folder(settings: Settings) -> Path:
    """Return where models are put that somebody adds."""
    if settings.models_dir is None:
        raise ModelRefused("LETHE_MODELS_DIR is not set: there is no folder for models of your own")
    return settings.models_dir


def added(name: str, settings: Settings) -> BaseModel:
    """Load a registered model by its name.

    Raises:
        typer.BadParameter: for a name that none has, with the known ones.
    """
    models = settings.models()
    if name not in models:
        raise typer.BadParameter(models.missing(name), param_hint="NAME")
    return models[name]


def to_change(name: str, settings: Settings) -> BaseModel:
    """Load a registered model that may be changed: one that was added.

    Raises:
        typer.BadParameter: as :func:`added`.
        ModelRefused: for one that came with Lethe.
    """
    model = added(name, settings)
    if model.folder.resolve().parent != own_folder(settings).resolve():
        raise ModelRefused(
            f"{name} came with Lethe and stays as it is: add a copy of {model.folder} under another name"
        )
    return model


def to_remove(name: str, settings: Settings) -> Path:
    """Return the folder of a model that may be removed: one that was added, or is refused where those are.

    Raises:
        typer.BadParameter, ModelRefused: as :func:`to_change`.
    """
    folder = own_folder(settings) / name
    if name in settings.models().refused and folder.is_dir():
        return folder
    return to_change(name, settings).folder


def found(source: str, settings: Settings) -> BaseModel | None:
    """Load the model that is in a folder with a manifest, or the registered one of this name; None of a folder that was
    not added.

    Raises:
        typer.BadParameter: for what is neither, with the names that are known.
    """
    if (Path(source) / MANIFEST).is_file():
        return load_manifest(Path(source))
    models = settings.models()
    if Path(source).is_dir() and source not in models and source not in models.refused:
        return None
    return added(source, settings)


@contextmanager
def folder_of(source: str, like: Path | None, settings: Settings) -> Iterator[Path]:
    """Yield the folder of what somebody names: a folder, a file that is converted, or a hub's model that is fetched.

    Raises:
        typer.BadParameter: for a hub's name without a commit.
        ModelRefused, ModelUnavailable: for what cannot be converted or fetched.
    """
    if source.startswith(PREFIX):
        yield _fetched(source, settings)
    elif Path(source).is_file():
        from sfd_core.adding.one_file import convert

        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / Path(source).stem
            convert(Path(source), like, folder)
            yield folder
    else:
        yield Path(source)


def _fetched(source: str, settings: Settings) -> Path:
    from sfd_core.families.hub import fetch

    try:
        hub = parse_hub_name(source)
    except InvalidRequest as error:
        raise typer.BadParameter(str(error), param_hint="SOURCE") from None
    return fetch(hub, None, hub_folder(settings.hub_dir, hub)).folder


def by_domain(given: Sequence[str], option: str) -> dict[str, Path]:
    """Read folders that are given by the domain that they are of, DOMAIN=FOLDER; "" is that of a folder alone.

    Raises:
        typer.BadParameter: for a domain that is given twice.
    """
    found: dict[str, Path] = {}
    for one in given:
        before, equals, after = one.partition("=")
        domain, folder = (before, after) if equals and after and not Path(one).exists() else ("", one)
        if domain in found:
            raise typer.BadParameter(f"{one}: {domain or 'a folder alone'} is there twice", param_hint=option)
        found[domain] = Path(folder)
    return found


def of_domains(model: BaseModel, given: Mapping[str, Path], option: str) -> dict[str | None, Path | None]:
    """Return what is given of each of the model's domains that is judged, or of the model as it is (None).

    Raises:
        typer.BadParameter: for a domain that it does not have, or a folder that could be of several.
    """
    domains = tuple(model.domains)
    if not domains:
        if named := sorted(name for name in given if name):
            raise typer.BadParameter(f"{model.name} has no domain {', '.join(named)}", param_hint=option)
        return {None: given.get("")}
    if "" in given and len(domains) == 1:
        given = {domains[0]: given[""], **{name: folder for name, folder in given.items() if name}}
    for name in given:
        if not name:
            said = f"say {option} {domains[0]}=FOLDER; domains are {', '.join(domains)}"
            raise typer.BadParameter(said, param_hint=option)
        if name not in domains:
            raise typer.BadParameter(unknown("domain", name, domains), param_hint=option)
    return {name: given.get(name) for name in domains}


def seen_in(model: BaseModel, domain: str | None) -> BaseModel:
    """Return ``model`` as it lies in its folder now, seen in ``domain``."""
    from sfd_core.families.registry import load_manifest

    now = load_manifest(model.folder)
    return now if domain is None else now.view(domain)


def concepts_in(text: str | None) -> tuple[str, ...]:
    """Read names of classes: with commas between them, or a file with one a line.

    Raises:
        typer.BadParameter: for a file that is no text.
    """
    if text is None:
        return ()
    if not Path(text).is_file():
        return tuple(name.strip() for name in text.split(","))
    try:
        lines = Path(text).read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{text}: not text in UTF-8: {error}", param_hint="--concepts") from None
    return tuple(line.strip() for line in lines if line.strip())


def say_prospects(model: BaseModel, settings: Settings) -> None:
    """Say which verdicts runs of ``model`` can come to, here."""
    from sfd_core.adding.prospects import prospects

    for one in prospects(model, clip=settings.clip_weights is not None):
        for line in one.lines():
            typer.echo(line)


def jobs_that_need(ctx: typer.Context, name: str) -> list[str] | None:
    """Ask the service which unfinished jobs need a model; None where no service answers."""
    from client import Unreachable

    try:
        with client_of(ctx) as lethe:
            return [job.id for job in lethe.jobs(base_model=name) if not job.finished]
    except Unreachable:
        return None
