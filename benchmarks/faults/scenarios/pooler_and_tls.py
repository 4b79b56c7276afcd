"""PgBouncer in transaction mode; a broker with TLS by a private authority, and with another's certificate."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=36,
    inject="PgBouncer in transaction mode; a broker with TLS by a private authority, and with another's certificate",
    holds="works; the wrong certificate is refused by every client",
    tests=(
        "tests/store/test_pooler.py",
        "tests/store/test_broker_tls.py",
    ),
    switches=(
        Switch(
            mechanism="verified certificates",
            module="jobs.urls",
            there='{"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, **words}',
            instead='{"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False, **words}',
            tests=("tests/store/test_broker_tls.py",),
        ),
    ),
)
