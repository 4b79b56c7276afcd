"""Requests made of the OpenAPI document, with keys and without."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=27,
    inject="requests made of the OpenAPI document, with keys and without",
    holds="0 answers >= 500, 0 answers off the document",
    tests=(
        "tests/api/test_fuzzed_document.py",
        "tests/api/test_nasty_input.py",
    ),
    switches=(
        Switch(
            mechanism="origins that are none",
            module="api.auth",
            there="    except ValueError:  # a bracket",
            instead="    except ZeroDivisionError:  # a bracket",
            tests=("tests/api/test_nasty_input.py::test_an_origin_that_is_none_is_another_sites",),
        ),
    ),
    minutes=4,
)
