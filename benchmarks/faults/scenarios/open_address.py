"""Webhooks to addresses that are not public, in every notation; names that rebind; redirects; an address that other
machines reach, without keys."""

from benchmarks.faults.scenario import Scenario, Switch

ADDRESSES = "tests/telling/test_addresses.py"

SCENARIO = Scenario(
    number=18,
    inject="webhooks to private, loopback and link-local addresses in every notation, names that rebind, redirects; an "
    "address that other machines reach, without keys",
    holds="0 packets to addresses that are not public; the service refuses to start",
    tests=(
        f"{ADDRESSES}::test_no_notation_reaches_what_is_not_public",
        f"{ADDRESSES}::test_a_name_that_rebinds_reaches_what_was_judged",
        f"{ADDRESSES}::test_redirects_are_not_followed",
        f"{ADDRESSES}::test_certificates_are_of_the_name_and_not_of_the_address",
        "tests/api/test_webhooks.py::test_what_is_refused",
        "tests/api/test_submit.py::test_each_field_wrong_in_turn",
        "tests/store/test_settings.py::test_an_open_address_without_keys_is_refused",
        "tests/store/test_settings.py::test_loopback_needs_no_keys",
    ),
    switches=(
        Switch(
            mechanism="judgement of the addresses that a name has",
            module="telling.addresses",
            there="        if host not in self._names and not all(map(self._is_good, found)):",
            instead="        if not found:",
            tests=(f"{ADDRESSES}::test_a_name_that_rebinds_reaches_what_was_judged",),
            quick=True,
        ),
        Switch(
            mechanism="connection to the judged address",
            module="telling.posting",
            there="connect_tcp(str(address), port, min(left, timeout or left))",
            instead="connect_tcp(str(self._guard.addresses(host, port)[0]), port, min(left, timeout or left))",
            tests=(f"{ADDRESSES}::test_a_name_that_rebinds_reaches_what_was_judged",),
        ),
        Switch(
            mechanism="addresses within addresses",
            module="telling.addresses",
            there="            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))",
            instead="            return True",
            tests=(f"{ADDRESSES}::test_no_notation_reaches_what_is_not_public",),
        ),
        Switch(
            mechanism="refusal of an open address without keys",
            module="jobs.settings",
            there='if self.auth == "none" and not is_loopback(self.host):',
            instead='if self.auth == "" and not is_loopback(self.host):',
            tests=("tests/store/test_settings.py::test_an_open_address_without_keys_is_refused",),
            quick=True,
        ),
    ),
    left="the system's resolver is asked for names of this machine alone: what others answer is said by a stand-in",
)
