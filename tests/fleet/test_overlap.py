"""Evaluations that overlap and read a fleet of seconds ago, by all triggers and both ways of running them."""

import random
from concurrent.futures import ThreadPoolExecutor

from tests.fleet.fleet import Fleet, until

LAG_SECONDS = 3
SCATTER_SECONDS = 3
SNS_EVENT = {"Records": [{"Sns": {"Subject": "ALARM", "Message": "{}"}}]}
SCHEDULED_EVENT = {
    "version": "0",
    "account": "123456789012",
    "region": "us-east-1",
    "detail": {},
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "time": "2026-11-25T12:00:00Z",
    "id": "e",
    "resources": [],
}
QUEUE_EVENT = {"Records": [{"body": "{}", "receiptHandle": "r"}]}


def test_thirty_evaluations_at_once_with_stale_and_partial_reads_never_pass_twenty_nor_undo_a_launch(
    fleet: Fleet,
) -> None:
    fleet.faults.lag(LAG_SECONDS, SCATTER_SECONDS)
    fleet.faults.break_boots(100)  # nothing drains while they fight
    fleet.send(60)
    triggers = [("on_wake", QUEUE_EVENT), ("on_alarm", SNS_EVENT), ("on_schedule", SCHEDULED_EVENT)] * 4
    direct = [fleet.evaluator() for _ in range(30 - len(triggers))]
    with ThreadPoolExecutor(len(triggers) + len(direct) + 1) as pool:
        # The backlog grows meanwhile, so that they want different numbers.
        growth = [pool.submit(fleet.send, random.Random(n).randint(1, 5)) for n in range(20)]
        invoked = [pool.submit(fleet.invoke, function, event) for function, event in triggers]
        reports = [pool.submit(evaluator.evaluate) for evaluator in direct]
        for future in [*growth, *invoked, *reports]:
            assert future.exception() is None
    ended = [action for report in reports for action in report.result().plan.terminate]
    until(lambda: len(fleet.faults.active()) == 20, 30)
    launched = [name for _, ids in fleet.faults.launches() for name in ids]
    assert fleet.faults.peak() == 20
    assert ended == []
    assert sorted(launched) == sorted(fleet.faults.active()), "a launch was undone"
    fleet.faults.calm()
    fleet.drains_and_returns_to_zero(40)
    assert fleet.faults.peak() == 20
