"""A key that is revoked, or expires, while its event stream is busy."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=28,
    inject="a key that is revoked, or expires, while its event stream is busy",
    holds="the stream ends within 5 s",
    tests=(
        "tests/api/test_auth.py::test_a_busy_stream_ends_with_its_key",
        "tests/api/test_auth.py::test_a_stream_that_is_read_slowly_ends_with_its_key",
        "tests/api/test_auth.py::test_a_download_that_is_read_slowly_breaks_off_with_its_key",
    ),
    switches=(
        Switch(
            mechanism="stream revocation",
            module="api.lasting",
            there="                await asyncio.sleep(RECHECK_SECONDS)",
            instead="                await asyncio.sleep(RECHECK_SECONDS * 100)",
            tests=("tests/api/test_auth.py::test_a_busy_stream_ends_with_its_key",),
            quick=True,
        ),
    ),
)
