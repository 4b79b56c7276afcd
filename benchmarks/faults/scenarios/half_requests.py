"""2000 connections with half a head, 500 with a body that never comes, 500 slow readers."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=33,
    inject="2000 connections with half a head, 500 with a body that never comes, 500 slow readers",
    holds="closed within 30 s; /livez answers meanwhile",
    tests=("tests/api/test_connections.py",),
    switches=(
        Switch(
            mechanism="patience with halves",
            module="api.connections",
            there="            self._request_timer = self.loop.call_later(seconds, self.give_up)",
            instead="            self._request_timer = self.loop.call_later(seconds * 100, self.give_up)",
            tests=("tests/api/test_connections.py",),
        ),
    ),
)
