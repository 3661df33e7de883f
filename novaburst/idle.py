"""How long a worker without work keeps its instance. Pure: the worker and the simulator ask the same."""

# EC2 bills by the second, and so much at least: https://aws.amazon.com/ec2/pricing/on-demand/
LEAST_BILLED_SECONDS = 60.0
# What part of the whole patience those have who came for a burst that is over: one of so many.
_FRACTION = 6


def patience(idle_seconds: float, place: int, paid_ahead: float) -> float:
    """The seconds without work after which a worker ends itself.

    The first instance of each launch waits for whoever comes next. The others wait as long as is paid for anyway, or a
    sixth: twenty that all waited were a quarter of the bill of a burst of 100,000 images (`python -m bench policies`).

    Args:
        idle_seconds: the longest patience.
        place: the instance's place in its launch, from 0 on.
        paid_ahead: how many seconds, from when its work ended, EC2 bills in any case; below 0 there are none.
    """
    return idle_seconds if place == 0 else min(idle_seconds, max(idle_seconds / _FRACTION, paid_ahead))
