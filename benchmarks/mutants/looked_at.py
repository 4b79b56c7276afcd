"""Mutants that live and cannot be told from the module by what it does, and why: by module, and by the line as it is
changed, or "without" what it is. One that is not listed here lives for want of a test."""

from __future__ import annotations

INTEGERS = "a tensor of whole numbers is of this type anyhow"
DEVICE = "the same on the CPU; on a GPU it would be an error at once"
SET_TO_NONE = "no gradient is the default; gradients of zero add up to the same numbers"
LIBRARY = "not raised by this release of securesystemslib for what has been checked above"
NOUGHT = "differences to the mean of all add up to nought"
METRICS = "sfd_core.evaluation.metrics"

EQUIVALENT: dict[tuple[str, str], str] = {
    (
        "sfd_core.evaluation.intervals",
        "high = 1.0 if successes == n else min(2.0, centre + half)",
    ): "Wilson's bound lies below 1 wherever an image was a miss; the minimum is for rounding",
    (
        "sfd_core.evaluation.verdict",
        "while n < 10_000_000:",
    ): "the search goes by tenths and does not come upon the limit itself",
    (
        "sfd_core.evaluation.verdict",
        "while n <= 10000001:",
    ): "the search goes by tenths and does not come upon the limit itself",
    **{
        ("sfd_core.training.conditions", line): INTEGERS
        for line in (
            "self.forgotten = [torch.tensor(conditions) for conditions in table.forgotten]",
            "self.remaining = torch.tensor(table.remaining)",
            "self.choices = {c: torch.tensor(choices) for c, choices in table.overrides.items()}",
            "return torch.tensor(o).to(self.device)",
        )
    },
    (
        "sfd_core.training.conditions",
        "asked = torch.tensor([i in self.judged for i in c.tolist()])",
    ): "a tensor of truth values is of this type anyhow",
    (
        "sfd_core.training.conditions",
        "dropped = torch.rand(len(c), generator=generator) <= self.recipe.condition_dropout",
    ): "differs where a draw is the share itself, to all 24 bits",
    (
        "sfd_core.training.conditions",
        "return conditions[:1]",
    ): "a recipe that leaves either side of a batch without an image is refused",
    (
        "sfd_core.training.step",
        "t = torch.full((len(z),), self.schedule.start(self.recipe))",
    ): DEVICE,
    **{
        ("sfd_core.training.step", f"state.optimizer_{name}.zero_grad({argument})"): SET_TO_NONE
        for name in ("fake_score", "generator")
        for argument in ("", "set_to_none=False")
    },
    (
        "sfd_core.training.state",
        'index, key = name.split(".", 2)',
    ): "no moment of Adam has a dot in its name",
    **{
        ("jobs.record.signing", f'return json.dumps(envelope.to_dict(){sort}, separators=(",", ":")) + "\\n"'): (
            "securesystemslib gives the fields sorted; records do not rest on that"
        )
        for sort in ("", ", sort_keys=False")
    },
    ("jobs.record.verify", "except (ValueError, FormatError) as error:"): LIBRARY,
    ("jobs.record.verify", "except (ValueError, TypeError) as error:"): LIBRARY,
    **{
        (
            "jobs.record.verify",
            f"at = next(i for i, pair in enumerate(zip(text + {a}, right + {b}, strict=False)) if pair[0] != pair[1])",
        ): "whatever stands behind the shorter text differs from the longer one's next byte"
        for a, b in (('"mutant"', '"\\0"'), ('"\\0"', '"mutant"'))
    },
    ("jobs.outbox", "select(outbox.c.job_id, outbox.c.id)"): "a row's columns are read by name",
    (
        "jobs.outbox",
        "gone = connection.execute(delete(outbox).where(outbox.c.sent_at <= rows.from_now(-older_than_seconds)))",
    ): "differs where a row was sent that long ago to the microsecond",
    (
        "jobs.fence",
        "without check_move(Status.QUEUED, Status.RUNNING, EventType.STARTED)",
    ): "that a job may be claimed is in the table of moves; a claim asserts it, and its own condition is on the row",
    (
        "jobs.fence",
        "return jobs.c.status.in_([str(s) for s in HELD]) & (jobs.c.lease_until >= func.now())",
    ): "differs in the one microsecond in which a lease runs out",
    (
        METRICS,
        "MANIFOLD_IMAGES, MANIFOLD_BLOCK, MANIFOLD_SEED = 5000, 501, 0",
    ): "how many rows are in memory at a time changes no distance",
    (METRICS, "total = torch.stack([(g - origin).sum(0) for g in groups]).mean(0)"): NOUGHT,
    (METRICS, "total = torch.stack([(g - origin).mean(0) for g in groups]).sum(0)"): NOUGHT,
    **{
        (METRICS, f"outer = sum(({changed} for g in groups), torch.zeros(features, features, dtype=torch.float64))"): (
            NOUGHT
        )
        for changed in ("(g + origin).T @ (g - origin)", "(g - origin).T @ (g + origin)")
    },
    (
        METRICS,
        "outer = sum(((g - origin).T @ (g - origin) for g in groups), torch.zeros(features, features))",
    ): "noughts take the type of what is added to them",
    **{
        (
            METRICS,
            f"return float(apart.square().sum() {changed} + covariance.trace() - 2 * cross)",
        ): "the same for all groups: it is not in the spread between them"
        for changed in ("- root.square().sum()", "+ root.square().mean()")
    },
    (METRICS, "with torch.random.fork_rng():"): "keeps the generators of GPUs as well, which draw nothing here",
    (
        METRICS,
        "logits = torch.from_numpy(probabilities).double().clamp(min=2e-12).log()",
    ): "p log p of either is nothing beside the score",
}
