"""Requests made of the OpenAPI document, with keys and without."""

from benchmarks.faults.scenario import Scenario

SCENARIO = Scenario(
    number=27,
    inject="requests made of the OpenAPI document, with keys and without",
    holds="0 answers >= 500, 0 answers off the document",
    tests=(
        "tests/api/test_fuzzed_document.py",
        "tests/api/test_nasty_input.py",
    ),
    minutes=4,
)
