"""No key, a wrong, an expired, a revoked one, one of another scope; a dump of the table."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=20,
    inject="no key, a wrong, an expired, a revoked one, one of another scope; a dump of the table",
    holds="401 and 403 exactly; a revocation holds within 5 s; no usable key in the dump",
    tests=(
        "tests/api/test_auth.py::test_every_operation_needs_a_key_with_its_scope",
        "tests/api/test_auth.py::test_keys_that_ended",
        "tests/api/test_auth.py::test_a_revocation_holds_within_five_seconds",
        "tests/api/test_auth.py::test_the_table_holds_no_usable_key",
        "tests/store/test_keys.py::test_a_dump_of_the_table_holds_no_usable_key",
    ),
    switches=(
        Switch(
            mechanism="keys kept as digests",
            module="jobs.keys",
            there='    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()',
            instead='    return secret + hashlib.sha256(b"").hexdigest()[:0]',
            tests=("tests/store/test_keys.py::test_a_dump_of_the_table_holds_no_usable_key",),
        ),
    ),
)
