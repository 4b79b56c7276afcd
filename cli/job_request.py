"""The request that the options of ``lethe submit`` and ``lethe unlearn`` make, alone or over one in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.arguments import (
    FORGET_HELP,
    PROBE_HELP,
    forget_items,
    parse_numbers,
    parse_settings,
    parse_texts,
    read_prompts,
    read_time,
    with_words,
)

FileOption = Annotated[
    Path | None,
    typer.Option("--file", help="A whole request as JSON, such as recipes/celebrity.json; other options change it."),
]
LikeOption = Annotated[
    str | None,
    typer.Option(metavar="JOB", help="The request of an earlier job; other options change it."),
]
ChangeOption = Annotated[
    str | None,
    typer.Option(
        metavar="JSON",
        help='With --like: changes as JSON, as lethe advise prints them: \'{"budget": {"images": 12800}}\'.',
    ),
]
WordsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CONCEPT=A,B", help="Text to image: the words that name it in a prompt. Its name by default."),
]
PromptsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="CONCEPT=FILE", help="Text to image: the prompts that forget it, one a line or a table."),
]
ColumnOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The column with the prompts, where files of prompts are tables (CSV, JSON lines). By default prompt.",
    ),
]
OutsideOption = Annotated[
    bool,
    typer.Option(
        "--outside-vocabulary",
        help="Text to image: concepts and overrides are meant as they are spelt, also where the model's vocabulary "
        "does not have them.",
    ),
]
RetainOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Text to image: prompts that preserve the rest, one a line or a table."),
]

ForgetOption = Annotated[list[str] | None, typer.Option(metavar="CONCEPT=OVERRIDE", help=FORGET_HELP)]
ImagesOption = Annotated[
    int | None,
    typer.Option(help="The budget: generated images to train on, at most. The model family's default if left out."),
]
SecondsOption = Annotated[float | None, typer.Option(help="The budget: seconds of training, at most.")]
UntilOption = Annotated[
    str | None,
    typer.Option(
        metavar="pass|budget",
        help="pass, the default: train until the run's own check says that the report will pass, or to the end of the "
        "budget. budget: always to its end.",
    ),
]
RecipeOption = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A change of the base model's recipe: alpha=1.2.")
]
ThresholdOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Acceptance threshold: unlearning_accuracy=0.99. Repeat it for several."),
]
MetadataOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Your own note, to find the job by: ticket=T-123. Repeat it for more."),
]
WebhookOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Told when the job ends, by a signed POST. What it signs with is shown once."),
]
TicketOption = Annotated[
    str | None, typer.Option(help="The case that it answers: its number elsewhere, to find job and generator by.")
]
RequesterOption = Annotated[str | None, typer.Option(help="The case: who asks for it.")]
ReceivedOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="The case: when it came. Without an offset, by this machine's clock.")
]
DueOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="The case: by when it is to be answered. A date alone: by the end of that day."),
]
BasisOption = Annotated[str | None, typer.Option(help="The case: the law or contract it relies on: 'GDPR Art. 17'.")]
NoteOption = Annotated[str | None, typer.Option(help="The case: anything else.")]
PriorityOption = Annotated[
    str | None,
    typer.Option(
        metavar="low|normal|urgent",
        help="Which of your jobs goes first; normal by default. Between tenants it changes nothing.",
    ),
]
ProbeOption = Annotated[list[str] | None, typer.Option(metavar="NAME", help=PROBE_HELP)]


@dataclass(frozen=True)
class Options:
    """The options as said on the command line; None and nothing: what was not."""

    file: Path | None = None
    base: str | None = None
    forget: Sequence[str] = ()
    words: Sequence[str] = ()
    prompts: Sequence[str] = ()
    prompt_column: str | None = None
    outside_vocabulary: bool = False
    retain: Path | None = None
    images: int | None = None
    seconds: float | None = None
    until: str | None = None
    seed: int | None = None
    recipe: Sequence[str] = ()
    threshold: Sequence[str] = ()
    probe: Sequence[str] = ()
    metadata: Sequence[str] = ()
    webhook: str | None = None
    like: str | None = None
    change: str | None = None
    ticket: str | None = None
    requester: str | None = None
    received: str | None = None
    due: str | None = None
    basis: str | None = None
    note: str | None = None
    priority: str | None = None

    def request(self) -> dict[str, Any]:
        """Make the body of the request, types as in the service's schema.

        Raises:
            typer.BadParameter: for an option or a file that cannot be read, or one that is missing.
        """
        body = self._begun()
        items = forget_items(self.forget, self.prompt_column) or list(body.get("forget", []))
        if self.like is not None and not items and (self.words or self.prompts or self.outside_vocabulary):
            message = "--words, --prompts and --outside-vocabulary say more of a --forget: say that too"
            raise typer.BadParameter(message, param_hint="--like")
        if self.outside_vocabulary:
            items = [{**item, "outside_vocabulary": True} for item in items]
        budget = {"images": self.images, "seconds": self.seconds, "until": self.until}
        settings: dict[str, Mapping[str, Any]] = {
            "budget": {name: value for name, value in budget.items() if value is not None},
            "recipe": parse_settings(self.recipe, "--recipe"),
            "thresholds": parse_numbers(self.threshold, "--threshold"),
            "evaluation": {"probes": list(self.probe)} if self.probe else {},
            "metadata": parse_texts(self.metadata, "--metadata", "ticket=T-123"),
            "case": self._case(),
        }
        for name, changes in settings.items():
            if changes:
                body[name] = {**(body.get(name) or {}), **changes}
        body |= {"base_model": self.base} if self.base is not None else {}
        body |= {"priority": self.priority} if self.priority is not None else {}
        body |= {"seed": self.seed} if self.seed is not None else {}
        body |= {"webhook": {"url": self.webhook}} if self.webhook is not None else {}
        body |= {"forget": with_words(items, self.words, self.prompts, self.prompt_column)} if items else {}
        if self.retain is not None:
            body["retain"] = {"prompts": read_prompts(self.retain, "--retain", self.prompt_column)}
        if self.like is not None:
            return {"like": self.like, **body}
        needed = {"--base": "base_model", "--forget": "forget"}
        for option, name in needed.items():
            if not body.get(name):
                raise typer.BadParameter(f"Missing option '{option}', and no --file that says it.")
        return body

    def _begun(self) -> dict[str, Any]:
        """What the other options change."""
        if self.like is not None and self.file is not None:
            raise typer.BadParameter("say --like or --file, not both", param_hint="--like")
        if self.change is not None and self.like is None:
            raise typer.BadParameter("changes the request of an earlier job: say --like", param_hint="--change")
        if self.change is not None:
            return _changes(self.change)
        return read_request(self.file) if self.file is not None else {}

    def _case(self) -> dict[str, str]:
        case = {
            "ticket": self.ticket,
            "requester": self.requester,
            "received_at": self.received and read_time(self.received, "--received"),
            "due_at": self.due and read_time(self.due, "--due", whole_day=True),
            "basis": self.basis,
            "note": self.note,
        }
        return {name: value for name, value in case.items() if value is not None}


def _changes(text: str) -> dict[str, Any]:
    try:
        changes = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is not JSON: {error}", param_hint="--change") from None
    if not isinstance(changes, dict):
        raise typer.BadParameter('must be an object, such as {"budget": {"images": 12800}}', param_hint="--change")
    return changes


def read_request(path: Path) -> dict[str, Any]:
    """Read a request in a file, of the shape that the service takes.

    Raises:
        typer.BadParameter: with every value that is wrong.
    """
    from api.schemas.submission import Submission
    from sfd_core.errors import InvalidRequest
    from sfd_core.request.reading import read
    from sfd_core.text_files import read_json

    try:
        body = read_json(path)
        read(Submission, body)
    except InvalidRequest as error:
        wrong = [": ".join(filter(None, (str(path), one.pointer, one.message))) for one in error.errors]
        raise typer.BadParameter("\n".join(wrong), param_hint="--file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--file") from None
    return dict(body)
