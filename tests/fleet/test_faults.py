"""What fails, and the backlog drains and the fleet returns to zero all the same."""

from tests.fleet.fleet import Fleet, until


def test_launches_refused_for_capacity_quota_and_rate_are_made_by_a_later_evaluation(fleet: Fleet) -> None:
    # The client itself tries again when it is throttled, but not for ever.
    throttled = ["RequestLimitExceeded"] * 4
    fleet.faults.refuse("RunInstances", "InsufficientInstanceCapacity", "VcpuLimitExceeded", *throttled)
    fleet.send(20)
    fleet.wake()
    fleet.drains_and_returns_to_zero(40)
    assert fleet.faults.refusals_left("RunInstances") == 0
    assert fleet.faults.peak() == 4


def test_instances_that_never_boot_or_never_work_are_replaced_although_ending_one_fails_at_first(fleet: Fleet) -> None:
    fleet.faults.break_boots(1)
    fleet.order("asleep")
    fleet.faults.refuse("TerminateInstances", "OperationNotPermitted")
    fleet.send(10)
    fleet.wake()
    until(lambda: fleet.backlog() == 0, 40)
    assert fleet.faults.refusals_left("TerminateInstances") == 0
    fleet.drains_and_returns_to_zero(20)
    assert fleet.faults.peak() == 2, "a replacement comes once the broken one is seen to be gone"


def test_an_alarm_and_a_wake_up_that_are_lost_are_made_up_for_by_the_schedule(fleet: Fleet) -> None:
    fleet.only("on_schedule")
    fleet.clients["cloudwatch"].set_alarm_state(
        AlarmName=f"{fleet.prefix}-backlog", StateValue="ALARM", StateReason="nobody hears it"
    )
    fleet.send(10)
    fleet.wake()
    fleet.drains_and_returns_to_zero(20)
    assert fleet.faults.peak() == 2


def test_a_lambda_killed_between_the_launch_and_its_answer_launches_nothing_twice(fleet: Fleet) -> None:
    fleet.faults.hold("RunInstances", 3)
    fleet.send(50)
    fleet.wake()
    until(fleet.faults.launches, 10)
    fleet.kill_lambdas()
    fleet.faults.calm()
    fleet.wake()
    fleet.drains_and_returns_to_zero(30)
    assert fleet.faults.peak() == 10
