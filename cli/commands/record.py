"""``lethe record``: keys for records, and what a record is good for: to be checked, and to be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import MISMATCH

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

    from jobs.record import Verified

app = typer.Typer(
    help="Check the signed record of a generator, run it again, and make the keys that sign.", no_args_is_help=True
)

RecordFile = Annotated[Path, typer.Argument(metavar="FILE", help="The record: unlearning-record.json.")]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="PUB", help="A public key that you trust. Repeat it for retired keys."),
]


@app.command()
def keygen(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The private key's file; the public one gets OUT.pub.")],
) -> None:
    """Make a key pair that signs records.

    Give the private key to api and worker as LETHE_SIGNING_KEY, and the public one to whoever checks records.
    """
    from jobs.record import KeyRefused, generate_key

    try:
        key = generate_key(out)
    except KeyRefused as error:
        raise typer.BadParameter(str(error), param_hint="OUT") from None
    typer.echo(f"private key: {out} (keep it secret: LETHE_SIGNING_KEY={out})\npublic key: {out}.pub", err=True)
    typer.echo(key.keyid)


@app.command()
def certificate(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="The private key: what LETHE_SIGNING_KEY names.")],
) -> None:
    """Print the certificate that verifiers of content credentials (C2PA) are to trust, as PEM.

    For images that are drawn with LETHE_CONTENT_CREDENTIALS=1. It holds the public key alone, and is the same each time
    that it is made.
    """
    from jobs.record import KeyRefused, load_signer
    from jobs.record.certificates import authority_pem

    try:
        signer = load_signer(key)
    except KeyRefused as error:
        raise typer.BadParameter(str(error), param_hint="KEY") from None
    typer.echo(authority_pem(signer).decode(), nl=False)


@app.command()
def verify(
    file: RecordFile,
    generator: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The unpacked archive: every file of it is compared.")
    ] = None,
    key: Keys = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Accept a record without a signature, which anybody may have written.")
    ] = False,
) -> None:
    """Check a record or a tombstone, and a generator against it. Needs no service and no network.

    Exit status 0 only if everything holds; otherwise the first thing that does not is named. A copy of a generator
    that was deleted is held against its tombstone: it must be the one whose record that names.
    """
    from jobs.record import RecordMismatch, is_tombstone, read_record, verify_tombstone
    from jobs.record import verify as check

    if not key and not unsigned:
        raise typer.BadParameter("give a public key that you trust, or --unsigned", param_hint="--key")
    keys = _public_keys(key)
    try:
        text = read_record(file)
        if is_tombstone(text):
            lines = list(_story(verify_tombstone(text, keys, generator, unsigned=unsigned), _end, "a deletion"))
        else:
            lines = list(_story(check(text, keys, generator, unsigned=unsigned), _run, "a run"))
    except RecordMismatch as mismatch:
        typer.echo(f"MISMATCH: {mismatch}", err=True)
        raise typer.Exit(MISMATCH) from None
    for line in lines:
        typer.echo(line)


@app.command()
def rerun(
    file: RecordFile,
    base: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The base model's folder; by default the registered one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the result here.")] = None,
    key: Keys = None,
) -> None:
    """Repeat the run of a record here, and compare.

    With the recorded code, versions and processor the weights are equal to the last bit; elsewhere the differences
    are listed. Exit status 0 only if they are equal.
    """
    import tempfile

    from cli.base_model import base_model
    from jobs.record import RecordMismatch, read_record, read_statement
    from jobs.record import verify as check
    from jobs.settings import load_settings

    settings = load_settings()
    if out is not None and file.resolve().is_relative_to((out / "generator").resolve()):
        raise typer.BadParameter("the record's own generator lies there, and would be replaced", param_hint="--out")
    try:
        text = read_record(file)
        statement = check(text, _public_keys(key)).statement if key else read_statement(text)
        if not key:
            typer.echo("the signature was not checked: no --key", err=True)
        model = base_model(str(base or _base_name(statement["predicate"])), settings)

        from cli.rerun import rerun as repeat

        with tempfile.TemporaryDirectory(prefix="lethe-rerun-") as scratch:
            comparison = repeat(statement, model, out or Path(scratch), settings)
    except RecordMismatch as mismatch:
        typer.echo(f"MISMATCH: {mismatch}", err=True)
        raise typer.Exit(MISMATCH) from None
    for line in comparison.lines():
        typer.echo(line)
    if out is not None:
        typer.echo(f"the result: {out / 'generator'}")
    if not comparison.bit_equal:
        raise typer.Exit(MISMATCH)


def _public_keys(paths: list[Path] | None) -> list[SSlibKey]:
    from jobs.record import KeyRefused, load_public_key

    try:
        return [load_public_key(path) for path in paths or ()]
    except KeyRefused as error:
        raise typer.BadParameter(str(error), param_hint="--key") from None


def _base_name(predicate: dict[str, object]) -> str:
    from jobs.record import RecordMismatch

    match predicate.get("base_model"):
        case {"name": str(name)}:
            return name
    raise RecordMismatch("payload.predicate.base_model", "names no base model")


def _story(verified: Verified, told: Callable[[dict[str, Any]], Iterator[str]], of: str) -> Iterator[str]:
    """What was checked, and what is told of it: ``of`` a run or a deletion."""
    from jobs.record import RecordMismatch

    if verified.key_id is None:
        yield "UNSIGNED: the record is unsigned; what follows is only what it says"
    else:
        yield f"signature: valid, by key {verified.key_id}"
    if verified.files is None:
        yield "files: not compared (--generator DIR compares them)"
    else:
        yield f"files: all {verified.files} are what the record states, and there is no other"
    if verified.ancestors:
        yield f"goes on from: {', from '.join(verified.ancestors)}; their records hold"
    try:
        yield from told(verified.predicate)
    except (KeyError, TypeError) as error:
        raise RecordMismatch("payload.predicate", f"does not tell of {of}: {error!r}") from None


def _run(predicate: dict[str, Any]) -> Iterator[str]:
    """What a record tells of the run."""
    from sfd_core.display.overrides import written_in_words

    model, asked_by, release = predicate["base_model"], predicate["asked_by"], predicate["release"]
    forgotten = ", ".join(
        f"{each['concept']} -> {written_in_words(each['override'])}" for each in predicate["request"]["forget"]
    )
    yield f"run: {predicate['job'] or 'lethe unlearn'}, asked for by {asked_by['tenant'] or 'whoever ran it'}"
    yield f"base model: {model['name']} {model['digest']}"
    yield f"forgotten: {forgotten}"
    yield f"verdict: {predicate['verdict']}, measured {predicate['created_at']}"
    if release is not None:
        yield f"released by {release['by']} at {release['at']}: {release['reason']}"


def _end(predicate: dict[str, Any]) -> Iterator[str]:
    """What a tombstone tells of the deletion."""
    yield f"deleted: {predicate['deleted']}, at {predicate['at']}"
    yield f"by {predicate['by']}: {predicate['reason']}"
    yield f"base model: {predicate['base_model']} {predicate['base_model_digest']}"
    yield f"verdict: {predicate['verdict'] or 'none'}"
    yield f"record: {'none' if predicate['record_sha256'] is None else 'sha256 ' + predicate['record_sha256']}"
    if predicate["descendants"]:
        yield f"jobs that started from it: {', '.join(predicate['descendants'])}"
