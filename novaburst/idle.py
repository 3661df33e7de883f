"""How long a worker without work keeps its instance. Pure: the worker and the simulator ask the same."""

# EC2 bills by the second, and so much at least: https://aws.amazon.com/ec2/pricing/on-demand/
LEAST_BILLED_SECONDS = 60.0
# What part of the first one's patience those have who came for a burst that is over: one of so many.
_FRACTION = 6


def patience(idle_seconds: float, place: int, paid_ahead: float) -> float:
    """The seconds without work after which a worker ends itself.

    The first instance of each launch waits for whoever comes next, the others for a sixth of that: twenty that all
    waited were a quarter of the bill of a burst of 100,000 images (`python -m bench policies`). Nobody leaves before
    what is paid for in any case is over, which saves one launch of seven where 2,000 images come one by one in a day.

    Args:
        idle_seconds: how long the first one waits, in time that is paid for.
        place: the instance's place in its launch, from 0 on.
        paid_ahead: how many seconds, from when its work ended, EC2 bills in any case; below 0 there are none.
    """
    return max(idle_seconds if place == 0 else idle_seconds / _FRACTION, paid_ahead)
