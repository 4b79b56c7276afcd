"""An event stream of 10 000 events cut at random places."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=22,
    inject="an event stream of 10 000 events cut at random places",
    holds="0 missing, 0 repeated",
    tests=("tests/api/test_events.py::test_a_stream_cut_at_random_places_misses_and_repeats_nothing",),
    switches=(
        Switch(
            mechanism="number of the last event that was seen",
            module="api.streams",
            there="                seen = event.seq\n",
            instead="                seen = event.seq - 1\n",
            tests=("tests/api/test_events.py::test_a_stream_cut_at_random_places_misses_and_repeats_nothing",),
        ),
    ),
)
