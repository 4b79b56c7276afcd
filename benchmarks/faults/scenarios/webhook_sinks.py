"""A webhook's sink that is down, slow or answers 410."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=21,
    inject="a webhook's sink that is down, slow or answers 410",
    holds="job time + 0",
    tests=("tests/api/test_submit.py::test_each_field_wrong_in_turn",),
    switches=(
        Switch(
            mechanism="refusal of unknown fields",
            module="sfd_core.request.reading",
            there='extra="forbid"',
            instead='extra="ignore"',
            tests=("tests/api/test_submit.py::test_each_field_wrong_in_turn",),
        ),
    ),
    left="there are no webhooks yet: a request that names one is refused",
)
