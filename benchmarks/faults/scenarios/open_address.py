"""Webhook targets; an address that other machines reach, without keys."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=18,
    inject="webhook targets; an address that other machines reach, without keys",
    holds="0 packets sent to a target; the service refuses to start",
    tests=(
        "tests/api/test_submit.py::test_each_field_wrong_in_turn",
        "tests/store/test_settings.py::test_an_open_address_without_keys_is_refused",
        "tests/store/test_settings.py::test_loopback_needs_no_keys",
    ),
    switches=(
        Switch(
            mechanism="address guard",
            module="jobs.settings",
            there='if self.auth == "none" and not is_loopback(self.host):',
            instead='if self.auth == "" and not is_loopback(self.host):',
            tests=("tests/store/test_settings.py::test_an_open_address_without_keys_is_refused",),
            quick=True,
        ),
    ),
    left="there are no webhooks yet: a request that names one is refused, and nothing is ever sent",
)
