"""Which modules are mutated, and the tests that belong to each. Those that find most come first."""

from __future__ import annotations

STEP = ("tests/unit/training/test_step.py",)
LOOP = ("tests/unit/training/test_loop.py",)
DECISIONS = ("tests/unit/evaluation/test_decisions.py", "tests/unit/evaluation/test_verdict.py")
STORE = ("tests/store/test_moves.py", "tests/store/test_fence.py")
RECORD = ("tests/record/test_small_record.py",)

TESTS: dict[str, tuple[str, ...]] = {
    "sfd_core.training.losses": ("tests/unit/training/test_losses.py",),
    "sfd_core.training.step": STEP,
    "sfd_core.training.loop": LOOP,
    "sfd_core.training.conditions": ("tests/unit/training/test_conditions.py", *STEP),
    "sfd_core.training.state": (
        "tests/unit/training/test_state.py",
        *LOOP,
        "tests/unit/training/test_checkpoint_parts.py",
        "tests/unit/training/test_sharding.py",
    ),
    "sfd_core.training.stopping": ("tests/unit/training/test_stopping.py",),
    "sfd_core.training.checkpoint": ("tests/unit/training/test_checkpoint_parts.py",),
    "sfd_core.families.parameterization": (
        "tests/unit/families/test_parameterization.py",
        "tests/unit/families/test_noise.py",
    ),
    "sfd_core.evaluation.intervals": DECISIONS,
    "sfd_core.evaluation.verdict": DECISIONS,
    "sfd_core.evaluation.metrics": (
        "tests/unit/evaluation/test_metrics_written_out.py",
        "tests/unit/evaluation/test_metrics.py",
    ),
    "jobs.states": ("tests/store/test_states.py",),
    "jobs.fence": STORE,
    "jobs.outbox": ("tests/store/test_outbox.py",),
    "jobs.record.signing": RECORD,
    "jobs.record.statement": RECORD,
    "jobs.record.releasing": RECORD,
    "jobs.record.verify": RECORD,
}
