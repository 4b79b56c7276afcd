"""``lethe models``: what can be unlearned from, and how a model of one's own becomes one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.models_import import import_model
from cli.connection import client_of
from cli.exits import REFUSED

app = typer.Typer(
    help="List the base models; add, check, measure and distil your own; import checkpoints.",
    invoke_without_command=True,
    no_args_is_help=False,
)

Name = Annotated[str, typer.Argument(help="The base model's name.")]
NameOrPath = Annotated[str, typer.Argument(help="The base model's name, or a folder.")]


@app.callback()
def models(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the base models of the service, with their concepts."""
    if ctx.invoked_subcommand is not None:
        return
    from cli.console import console, print_json
    from cli.tables import models_table

    with client_of(ctx) as lethe:
        found, refused = lethe.base_models(), lethe.refused_models()
    if as_json:
        for model in found:
            print_json(model.raw)
    else:
        console().print(models_table(found))
    for name, reason in refused.items():
        typer.echo(f"refused is {name}: {reason}", err=True)


@app.command()
def add(
    source: Annotated[str, typer.Argument(help="A folder, one .safetensors file, or hub:org/name@commit.")],
    name: Annotated[
        str | None, typer.Option(help="What requests call it; by default what the folder is called.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What people read.")] = None,
    licence: Annotated[str | None, typer.Option(help="By default what its card says.")] = None,
    data: Annotated[str | None, typer.Option(help="What it was trained on.")] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder with an image classifier of its concepts, as transformers saves it; of a text-to-image "
            "model with several domains DOMAIN=FOLDER, once for each."
        ),
    ] = None,
    second_judge: Annotated[
        list[str] | None,
        typer.Option(help="Another, of another architecture and trained apart: it says where the first errs."),
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(help="Of a text-to-image model: the words that it knows. Without it, the judge's labels."),
    ] = None,
    concepts: Annotated[
        str | None,
        typer.Option(help="Names of its classes in the order of their labels: a,b,c or a file with one a line."),
    ] = None,
    patch: Annotated[int, typer.Option(min=1, help="Pixels along the edge of what its network sees as one.")] = 1,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Of its own sampler, which runs are held against.")] = 50,
    guidance: Annotated[
        float | None, typer.Option(min=1, help="Of its own sampler, where it is guided; 1 is without.")
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Which form of the weights, such as fp16.")] = None,
    like: Annotated[
        Path | None, typer.Option(help="For one file: a folder with the configurations of such a pipeline.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Take no copy: a file that changes later is then refused.")
    ] = False,
) -> None:
    """Add a model: any folder of a known family, as diffusers saves it. Everything that is wrong with it is listed."""
    from cli.added_models import by_domain, concepts_in, folder_of, own_folder, say_prospects
    from jobs.settings import load_settings
    from sfd_core.adding.add import add_model
    from sfd_core.adding.said import Said

    settings = load_settings()
    said = Said(
        name or (source.partition("/")[2].partition("@")[0] if source.startswith("hub:") else None),
        title,
        licence,
        data,
        concepts_in(concepts),
        patch,
        by_domain(judge or (), "--judge"),
        by_domain(second_judge or (), "--second-judge"),
        vocabulary,
        variant,
        steps,
        guidance,
        link,
    )
    own, known = own_folder(settings), settings.models(adding=True)
    with folder_of(source, like, settings) as folder:
        model = add_model(folder, own, said, known)
    typer.echo(f"added {model.name} ({model.family}): {model.folder}")
    if model.concepts:
        typer.echo(f"concepts: {', '.join(model.concepts)}")
    say_prospects(model, settings)


@app.command()
def check(source: NameOrPath) -> None:
    """Check a model: every file against its digest, loaded and run once. Of a folder that was not added: what adding
    it would find."""
    from cli.added_models import found, say_prospects
    from jobs.settings import load_settings

    settings = load_settings()
    if (model := found(source, settings)) is None:
        from sfd_core.adding.said import Said
        from sfd_core.adding.survey import survey

        new = survey(Path(source), Said(), ())
        typer.echo(f"{source} can be added: {new.family.name}, {new.image.height} x {new.image.width} pixels")
        return
    from sfd_core.adding.add import try_out

    try_out(model)
    typer.echo(f"{model.name} is whole: {len(model.files)} files, {model.digest}")
    say_prospects(model, settings)


@app.command()
def show(
    source: NameOrPath,
    as_json: Annotated[bool, typer.Option("--json", help="Its manifest.")] = False,
) -> None:
    """Show what is known of a model on this machine."""
    from cli.added_models import found, say_prospects
    from cli.console import print_json
    from jobs.settings import load_settings
    from sfd_core.base_model.manifest import MANIFEST
    from sfd_core.text_files import read_json

    settings = load_settings()
    if (model := found(source, settings)) is None:
        raise typer.BadParameter(f"{source} was not added: `lethe models check {source}`", param_hint="SOURCE")
    if as_json:
        print_json(read_json(model.folder / MANIFEST))
        return
    from cli.tables import model_lines

    for line in model_lines(model):
        typer.echo(line)
    say_prospects(model, settings)


@app.command()
def measure(
    name: Name,
    real: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder with real images, one subfolder a concept, which no judge was trained on; of a model with "
            "several domains DOMAIN=FOLDER, once for each."
        ),
    ] = None,
    images: Annotated[int, typer.Option(min=2, help="Of its own, a concept.")] = 500,
    real_images: Annotated[int, typer.Option(min=2, help="Real ones that are read, a concept, at most.")] = 1000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
) -> None:
    """Measure a model once: its own images as its judges see them, and its judges on real images. Where Inception's
    weights are given (LETHE_INCEPTION_WEIGHTS), its features of both too."""
    from cli.added_models import by_domain, of_domains, say_prospects, seen_in, to_change
    from cli.console import console
    from cli.run_view import RunView
    from jobs.settings import load_settings
    from sfd_core.adding.measuring import keep, measure_model
    from sfd_core.adding.real_images import read_real_images
    from sfd_core.evaluation.features import Inception
    from sfd_core.families.device import pick_device
    from sfd_core.families.registry import load_manifest

    settings = load_settings()
    model = to_change(name, settings)
    where, weights = pick_device(device), settings.inception_weights
    extractors = [Inception(weights, where)] if weights is not None else []
    pictures = {}
    for domain, folder in of_domains(model, by_domain(real or (), "--real"), "--real").items():
        concepts = seen_in(model, domain).concepts
        pictures[domain] = None if folder is None else read_real_images(folder, concepts, model.image, real_images)
    for domain, read in pictures.items():
        view, measured = seen_in(model, domain), None  # the domain before it changed the folder
        with RunView(console()) as shown:
            shown.phase("measuring")
            for done, of, measured in measure_model(view, read, images, where, extractors):  # noqa: B007
                shown.progress({"images": done, "of": of})
        assert measured is not None
        keep(view, measured)
        for line in measured.lines(view.concepts):
            typer.echo(f"{domain}: {line}" if domain else line)
    say_prospects(load_manifest(model.folder), settings)


@app.command()
def distil(
    name: Name,
    images: Annotated[int, typer.Option(min=1, help="Generated images to train on.")] = 25_600,
    recipe: Annotated[list[str] | None, typer.Option(help="A setting of the recipe: lr_generator=1e-4.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
) -> None:
    """Distil a model once into the generator that its jobs start from. Interrupted, the same command goes on."""
    from cli.added_models import to_change
    from cli.arguments import parse_settings
    from cli.console import console
    from cli.run_view import RunView
    from jobs.settings import load_settings
    from sfd_core.adding.distilling import distil_model

    settings = load_settings()
    model = to_change(name, settings)
    changes = parse_settings(recipe or (), "--recipe")
    with RunView(console()) as view:
        view.phase("distilling")
        for step in distil_model(model, images, settings.work_dir / "distilled", device, changes):
            speed = step.images / max(step.seconds, 1e-9)
            left = max(0, images - step.images) / max(speed, 1e-9)
            view.progress({"images": step.images, "of": images, "images_per_second": speed, "eta_seconds": left})
    typer.echo(f"{model.name} has a first stage: its jobs start from it (recipe start=base_model: as before)")
    if changes:
        typer.echo(f"and have what it was made with, unless they say otherwise: {', '.join(recipe or ())}")


@app.command()
def remove(
    ctx: typer.Context,
    name: Name,
) -> None:
    """Remove a model that was added, also one that is refused. Those that came with Lethe stay."""
    from cli.added_models import jobs_that_need, own_folder, to_remove
    from jobs.settings import load_settings
    from sfd_core.adding.remove import remove_model

    settings = load_settings()
    folder = to_remove(name, settings)
    needed = jobs_that_need(ctx, name)
    if needed:
        typer.echo(f"lethe: {name} is not removed: {', '.join(needed)} need it; wait, or cancel them", err=True)
        raise typer.Exit(REFUSED)
    remove_model(folder, own_folder(settings))
    unknown = "; no service answered, so whether a job waits for it is not known" if needed is None else ""
    typer.echo(f"removed {name}; generators that were made of it stay, their records cannot be run again{unknown}")


app.command("import")(import_model)
