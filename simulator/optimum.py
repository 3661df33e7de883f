"""The least that any scaler could pay: a bound from below, to measure the others by."""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulator.workloads import Workload
from simulator.world import World

# Arrivals of so few seconds are one moment: who comes for the first image is there for all.
_MOMENT = 2.0


def least_cost(workload: Workload, world: World, within: float, *, ahead: bool = False) -> float:
    """The least US dollars for which each image can be answered `within` so many seconds of its arrival.

    A bound for scalers that know of an image when it arrives, and of whose size and end everything is known then. They
    boot nothing for a burst that has not come, but may keep instances since the one before. With `ahead` it is one for
    those that know the future and launch before it; so it is for what cannot be answered in time otherwise, when
    `within` is no longer than a boot, and for arrivals that have no pauses.

    Args:
        workload: the arrivals.
        world: boot, speed and price of instances.
        within: seconds from an image's arrival to its answer.
        ahead: whether instances may be launched before the images that they are for.
    """
    foreseen = _bound(workload, world, within, boot=0.0)
    if ahead or within - world.overhead <= world.boot[0] + world.worker_start:
        return foreseen
    parts = _parts(workload, world, within)
    return max(foreseen, sum(_unforeseen(part, world, within, pause) for pause, part in parts))


def _parts(workload: Workload, world: World, within: float) -> Iterator[tuple[float, Workload]]:
    """The stretches of arrivals with so long a pause between them that their costs can be added up, and the pauses.

    So long: what two runs may be charged for beyond their work lies between them. A pause is what an instance is paid
    for that is kept without work, from when all of the stretch before is answered and its minute is over, as that one's
    bound may count it, to the next arrival; the first one is endless.
    """
    over = within + world.least_billed
    margin = over + world.least_billed + world.boot[1] + world.worker_start
    pause, part = math.inf, list[tuple[float, int]]()
    for at, count in workload.cohorts:
        if part and at - part[-1][0] > margin:
            yield pause, Workload(workload.name, tuple(part))
            pause, part = at - part[-1][0] - over, []
        part.append((at, count))
    if part:
        yield pause, Workload(workload.name, tuple(part))


def _unforeseen(part: Workload, world: World, within: float, pause: float) -> float:
    """The bound of one such stretch: for a burst, the cheapest mix of instances that were kept and that are new."""
    first = part.cohorts[0][0]
    if part.seconds - first >= _MOMENT:
        return _bound(part, world, within, boot=0.0)
    boot = world.boot[0] + world.worker_start
    by_one = max(1, math.ceil((part.seconds - first + within - world.overhead) * world.images_per_second))
    best, kept = _bound(part, world, within, boot=boot), 1
    while (keeping := kept * pause * world.price_a_second) < best:
        rest = part.images - kept * by_one
        new = _bound(Workload(part.name, ((first, rest),)), world, within, boot=boot) if rest > 0 else 0.0
        best, kept = min(best, keeping + new), kept + 1
    return best


# One stretch without a pause is its own only part, and both bounds of it are this one.
@lru_cache(maxsize=16)
def _bound(workload: Workload, world: World, within: float, *, boot: float) -> float:
    """The larger of two bounds, for instances that are there `boot` seconds after an image is.

    Work: as many instances as the densest stretch of arrivals demands, each billed for what its boot bills and for its
    share of all work, and for a minute at least. Presence: some instance must run at least once between each image's
    arrival and its time, and stays on until the next or is started anew.
    """
    billed_boot = max(0.0, world.boot[0] - world.pending) + world.worker_start
    time = max(within - world.overhead - boot, 1 / world.images_per_second)
    work = world.work(workload.images)
    instances = _instances(workload, world, time)
    by_work = instances * world.cost(billed_boot + work / instances)
    return max(by_work, _presence(workload, world, time, billed_boot))


def _instances(workload: Workload, world: World, time: float) -> int:
    """The fewest that answer every image in time, in the order of arrival and with no boot: Lindley's recursion."""
    arrived, counts = (np.array(column, float) for column in zip(*workload.cohorts, strict=True))
    work = counts / world.images_per_second
    gaps = np.diff(arrived, append=arrived[-1])

    def longest(instances: int) -> float:
        balance = np.cumsum(work / instances - gaps)
        before: NDArray[np.float64] = np.concatenate(([0.0], balance[:-1]))
        return float(np.max(before - np.minimum.accumulate(before) + work / instances))

    most = max(1, math.ceil(world.work(workload.images) / time))
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if longest(middle) <= time else (middle + 1, high)
    return low


def _presence(workload: Workload, world: World, time: float, boot: float) -> float:
    """The least cost of one instance that is on at some moment of each of a set of disjoint stretches of `time`."""
    starts: list[float] = []
    for at, _ in workload.cohorts:
        if not starts or at > starts[-1] + time:
            starts.append(at)
    moments = np.array(starts)
    least = np.zeros(len(moments) + 1)
    for last in range(len(moments)):
        # One run serves this stretch and those before it from some first one on.
        ran = np.maximum(boot, boot + moments[last] - moments[: last + 1] - time)
        billed = np.maximum(ran, world.least_billed) * world.price_a_second
        least[last + 1] = np.min(least[: last + 1] + billed)
    return float(least[-1])
