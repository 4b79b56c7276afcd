"""Hostile files: pickles that run code in every container, sizes that lie, bombs, links."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=17,
    inject="hostile files: pickles that run code in every container, sizes that lie, bombs, links",
    holds="refused in words before any large allocation; nothing is executed",
    tests=(
        "tests/unit/importing/test_hostile.py",
        "tests/unit/base_model/test_hostile_manifest.py",
    ),
    switches=(
        Switch(
            mechanism="one bad manifest by itself",
            module="sfd_core.families.registry",
            there="            except ModelRefused as error:\n                refused[path.name] = str(error)\n            except Exception as error:",
            instead="            except ZeroDivisionError as error:",
            tests=("tests/unit/base_model/test_hostile_manifest.py",),
        ),
    ),
)
