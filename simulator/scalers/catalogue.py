"""The ways of scaling that are compared."""

from collections.abc import Callable

from simulator.scalers.base import Scaler
from simulator.scalers.cloudwatch import AlarmSteps, TargetTracking
from simulator.scalers.fixed import Fixed
from simulator.scalers.keda import Keda
from simulator.scalers.ours import Lambda, limits

OURS = "ours: proportional"
FIXED_SIZES = (1, 5, 20)


def catalogue(idle: float, maximum: int) -> tuple[Callable[[], Scaler], ...]:
    """Makers of every way, one for each run, since a scaler remembers. Our idle workers end after `idle` seconds."""
    return (
        lambda: Lambda(OURS, limits(idle=idle)),
        lambda: Lambda.seeds(limits(idle=idle)),
        TargetTracking,
        AlarmSteps,
        Keda,
        *(lambda size=size: Fixed(size) for size in FIXED_SIZES if size <= maximum),
    )
