"""Lists and reports as tables for people. Programs ask for ``--json``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from sfd_core.display.numbers import duration, estimate, measure, moment, number, percent
from sfd_core.display.numbers import size as size_of
from sfd_core.display.overrides import written_in_words
from sfd_core.suggestions import listed

if TYPE_CHECKING:
    from client import BaseModel, Decision, Forget, Generator, Job, Report
    from client.answers import Judge, OwnImages
    from client.reports import Distance, DomainReport
    from sfd_core.base_model.manifest import BaseModel as Model

COLOURS = {
    "pass": "green",
    "succeeded": "green",
    "fail": "red",
    "failed": "red",
    "inconclusive": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
}


def models_table(models: Iterable[BaseModel]) -> Table:
    """List what can be unlearned from."""
    table = Table("base model", "title", "concepts", "judge", "its own images", "licence")
    for model in models:
        if not model.domains:
            table.add_row(
                *_plain(
                    model.name,
                    model.title,
                    ", ".join(model.concepts),
                    _judged(model.judge),
                    _shown(model.own_images),
                    model.license,
                )
            )
        for i, (name, domain) in enumerate(model.domains.items()):
            known = f"{name}: {', '.join(domain.concepts)}"
            first = (model.name, model.title) if i == 0 else ("", "")
            shown = _shown(domain.own_images)
            table.add_row(*_plain(*first, known, _judged(domain.judge), shown, model.license if i == 0 else ""))
    return table


def model_lines(model: Model) -> Iterator[str]:
    """Say what is known of a model on this machine, one thing a line."""
    image = model.image
    yield f"{model.name}: {model.title}"
    yield f"family: {model.family}; images: {image.height} x {image.width}, {image.channels} channels"
    yield f"licence: {model.license}; data: {model.data}"
    yield f"concepts: {listed(model.concepts) or 'none by name'}"
    for view in [model.view(name) for name in model.domains] or [model]:
        for word, judge in (("judge", view.judge), ("second judge", view.second_judge)):
            if judge is not None:
                tried = "not tried on real images" if judge.accuracy is None else f"{percent(judge.accuracy)} right"
                yield f"{word}{f' of {view.domain}' if view.domain else ''}: {judge.name}, {tried}"
    if model.distilled is not None:
        yield f"first stage: {model.distilled.generator}, asked at {model.distilled.t_init}"
    yield f"folder: {model.folder}; {len(model.files)} files, {model.digest}"


def _judged(judge: Judge | None) -> str:
    if judge is None:
        return ""
    return f"{judge.name} ({'not tried on real images' if judge.accuracy is None else percent(judge.accuracy)})"


def _shown(own: OwnImages | None) -> str:
    """How far the base model itself shows what is asked: little of it can be decided by what it hardly shows."""
    if own is None:
        return ""
    least = min(own.by_concept, key=lambda name: own.by_concept[name], default=None)
    said = f"{percent(own.accuracy)} as asked"
    if least is not None:
        said += f"; least: {least}, {percent(own.by_concept[least])}"
    return said + (f"; too few for a verdict: {', '.join(own.too_few)}" if own.too_few else "")


def jobs_table(jobs: Iterable[Job], now: datetime) -> Table:
    """List jobs, with their age at ``now``; with ticket and due date where one has them."""
    jobs = list(jobs)
    cases = any(job.case is not None for job in jobs)
    of_case = ("ticket", "due") if cases else ()
    table = Table("job", "status", "verdict", *of_case, "base model", "forgets", "progress", "age")
    table.columns[0].no_wrap = True
    for job in jobs:
        status = job.phase if job.status == "running" and job.phase else job.status
        if job.priority != "normal":
            status = f"{status}, {job.priority}"
        progress = job.progress
        done = f"{number(progress.images)} of {number(progress.of)}" if progress and progress.of else ""
        age = duration((now - job.created_at).total_seconds()) if job.created_at else ""
        table.add_row(
            Text(job.id),
            Text(status, COLOURS.get(job.status, "")),
            Text(job.verdict or "", COLOURS.get(job.verdict or "", "")),
            *(_case(job) if cases else ()),
            *_plain(job.base_model, forgets(job.forget), done, age),
        )
    return table


def _case(job: Job) -> tuple[Text, Text]:
    """Ticket and due date, and whether that has passed."""
    case = job.case
    due = moment(case.due_at.isoformat()) if case is not None and case.due_at is not None else ""
    return Text(case.ticket or "" if case is not None else ""), Text(f"{due}{', overdue' if job.overdue else ''}")


def generators_table(generators: Iterable[Generator], now: datetime) -> Table:
    """List generators, with their age at ``now``."""
    table = Table("generator", "status", "verdict", "base model", "forgets", "job", "age")
    table.columns[0].no_wrap = True
    for generator in generators:
        status = "released" if generator.release else generator.status
        age = duration((now - generator.created_at).total_seconds()) if generator.created_at else ""
        verdict = generator.verdict or ""
        table.add_row(
            *_plain(generator.id, status),
            Text(verdict, COLOURS.get(verdict, "")),
            *_plain(generator.base_model, forgets(generator.forget), generator.job or "", age),
        )
    return table


def generator_lines(generator: Generator) -> Iterator[str]:
    """Say what is known of a generator, one thing a line."""
    yield f"{generator.id}: {generator.status}, verdict {generator.verdict}"
    if (release := generator.release) is not None:
        yield f"released by {release.by}, {moment(release.at.isoformat())}: {release.reason}"
    yield f"forgets: {forgets(generator.forget)}"
    yield f"base model: {generator.base_model} {generator.base_model_digest}"
    yield f"job: {generator.job}"
    size = sum(file.size for file in generator.files.values())
    yield f"files: {len(generator.files)}, {size_of(size)}; digest {generator.digest}"


def decision_lines(decision: Decision) -> Iterator[str]:
    """Say what became of a request for removal, one thing a line."""
    case = decision.case
    if case is not None:
        told = (("ticket", case.ticket), ("requested by", case.requester), ("basis", case.basis))
        yield from (f"{name}: {value}" for name, value in told if value is not None)
        times = (("received", case.received_at), ("due", case.due_at))
        yield from (f"{name}: {moment(value.isoformat())}" for name, value in times if value is not None)
    yield f"outcome: {decision.outcome}. {decision.summary}"
    if decision.answered_at is not None:
        late = "" if decision.in_time is None else ", in time" if decision.in_time else ", late"
        yield f"answered: {moment(decision.answered_at.isoformat())}{late}"
    if (release := decision.release) is not None:
        yield f"released by {release.by}, {moment(release.at.isoformat())}: {release.reason}"
    yield from (f"{each.decision}: {each.statement}" for each in decision.measured)
    if decision.record is not None:
        yield f"record: sha256 {decision.record['sha256']}, signed by {decision.record['signed_by'] or 'nobody'}"


def forgets(forget: Iterable[Forget]) -> str:
    """Write what is forgotten: ``Sneaker -> Sandal``, each."""
    return ", ".join(f"{item.concept} -> {written_in_words(item.override)}" for item in forget)


def report_table(report: Report) -> Table:
    """Show UA of what is forgotten, also by paraphrases, RA of what remains and of the other domains beside the base
    model's, distances and speed."""
    table = Table("measure", "concept", "generator", "base model", title=_verdict(report), title_justify="left")
    for column in table.columns[2:]:
        column.justify = "right"
    domains: list[Report | DomainReport] = [report, *report.further_domains]
    for domain in domains:
        if report.further_domains:
            table.add_section()
            table.add_row("domain", *_plain(domain.domain or "", "", ""))
        _add_measured(table, domain)
    if (speed := report.speed) is not None:
        ours, theirs = speed.generator_images_per_second, speed.base_model_images_per_second
        table.add_row(*_plain("images/s", f"{number(speed.ratio)} times as fast", number(ours), number(theirs)))
    return table


def _add_measured(table: Table, report: Report | DomainReport) -> None:
    """Add the rows of what was measured in one domain, or of a model without any."""
    for gone in report.unlearning:
        found = estimate(gone.accuracy, 2) if gone.accuracy is not None else "not evaluated"
        what = gone.concept if gone.override is None else f"{gone.concept} -> {written_in_words(gone.override)}"
        table.add_row("UA", *_plain(what, found, ""))
    for each in report.paraphrases or ():
        for kind in each.kinds:
            seen = f"shows it: {estimate(kind.base_model_seen)}"
            table.add_row("UA", *_plain(f"{each.concept}, by {kind.kind}", estimate(kind.generator), seen))
    table.add_section()
    for kept in report.retention:
        table.add_row("RA", *_plain(kept.concept, estimate(kept.generator), estimate(kept.base_model)))
    if (overall := report.retained_accuracy) is not None:
        table.add_row("RA", *_plain("all that remain", estimate(overall.generator), estimate(overall.base_model)))
    if (captions := report.retained_captions) is not None:
        shown = (estimate(captions.generator), estimate(captions.base_model))
        table.add_row("RA", *_plain("in captions never seen", *shown))
    for crossed in report.cross_domain or ():
        table.add_row("CRA", *_plain(crossed.domain, estimate(crossed.generator), estimate(crossed.base_model)))
    if (nsfw := report.nsfw) is not None:
        shown = (estimate(nsfw.generator), estimate(nsfw.base_model))
        table.add_row("NSFW", *_plain(f"flagged by {nsfw.detector}", *shown))
    table.add_section()
    for quality in report.quality:
        name = quality.fd_name
        for to, distance in (("real images", quality.against_real), ("the base model", quality.against_base_model)):
            if distance is not None and distance.fd is not None:
                table.add_row(*_plain(name, f"to {to}", measure(distance.fd), _beside(distance)))


def reasons(report: Report) -> list[str]:
    """List each criterion's decision and the reason for it, and then what each probe found: a line each."""
    decided = [
        f"{criterion.decision}: {f'{criterion.domain}: ' if criterion.domain else ''}{criterion.reason}"
        for criterion in report.criteria
    ]
    tried = [
        f"{name}, {each.concept}: {each.statement}"
        for name in report.probes.asked
        for each in getattr(report.probes.results, name, ())
    ]
    return decided + tried


def _beside(distance: Distance) -> str:
    """What a distance is read beside: the base model's own, and what two halves of the reference are apart."""
    known = (("", distance.fd_base_model), ("floor ", distance.fd_floor))
    return ", ".join(f"{word}{number(value)}" for word, value in known if value is not None)


def _verdict(report: Report) -> Text:
    by_domain = [
        part
        for i, (domain, verdict) in enumerate(report.domain_verdicts.items())
        for part in ("; " if i == 0 else ", ", f"{domain}: ", (verdict, COLOURS.get(verdict, "")))
    ]
    return Text.assemble("verdict: ", (report.verdict, COLOURS.get(report.verdict, "")), *by_domain)


def _plain(*texts: str) -> tuple[Text, ...]:
    """Cells whose square brackets are not markup."""
    return tuple(Text(text) for text in texts)
