"""A webhook's receiver that is down, slow, answers 410 or is sent what was sent before."""

from benchmarks.faults.scenario import Scenario, Switch

TESTS = "tests/telling/test_sender.py"

SCENARIO = Scenario(
    number=21,
    inject="a webhook's receiver that is down, hangs, drips, answers 410, is replayed; senders that die, many senders",
    holds="job time + 0; the same webhook-id in every try; the standard verifier passes, and refuses what is old",
    tests=(
        f"{TESTS}::test_no_job_waits_for_a_receiver",
        f"{TESTS}::test_a_receiver_that_is_down_is_told_when_it_is_back",
        f"{TESTS}::test_a_receiver_that_is_gone_is_told_nothing_more",
        f"{TESTS}::test_a_slow_receiver_costs_its_time_and_no_more",
        f"{TESTS}::test_what_was_changed_or_is_old_is_refused_by_receivers",
        f"{TESTS}::test_many_senders_send_nothing_twice",
        f"{TESTS}::test_what_a_sender_that_died_had_is_sent_by_another",
        f"{TESTS}::test_what_is_not_committed_is_not_told",
    ),
    switches=(
        Switch(
            mechanism="one id for every try",
            module="telling.message",
            there="            id=delivery.id,",
            instead='            id=f"{delivery.id}{delivery.tries}",',
            tests=(f"{TESTS}::test_a_receiver_that_is_down_is_told_when_it_is_back",),
        ),
        Switch(
            mechanism="410 disables",
            module="telling.posting",
            there="gone=status == GONE)",
            instead="gone=False)",
            tests=(f"{TESTS}::test_a_receiver_that_is_gone_is_told_nothing_more",),
        ),
        Switch(
            mechanism="lease of a delivery",
            module="jobs.deliveries",
            there="                AND webhooks.id NOT IN (SELECT webhook_id FROM busy)",
            instead="",
            tests=(f"{TESTS}::test_many_senders_send_nothing_twice",),
        ),
        Switch(
            mechanism="end of a try's time",
            module="telling.posting",
            there="            connection.shutdown(socket.SHUT_RDWR)",
            instead="            connection.getpeername()",
            tests=(f"{TESTS}::test_a_slow_receiver_costs_its_time_and_no_more",),
        ),
    ),
)
