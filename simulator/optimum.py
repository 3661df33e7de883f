"""What a scaler could do that knows the future: a bound on cost, to measure the others by."""

import math

import numpy as np
from numpy.typing import NDArray

from simulator.workloads import Workload
from simulator.world import World


def least_cost(workload: Workload, world: World, within: float, *, from_zero: bool = False) -> float:
    """The least US dollars for which each image can be answered `within` so many seconds of its arrival.

    A bound from below, the larger of two. Work: as many instances as the densest stretch of arrivals demands, each
    billed for what its boot bills and for its share of all work, and for a minute at least. Presence: some instance
    must run at least once between each image's arrival and its time, and stays on until the next or is started anew.
    Instances are launched before they are needed, so that no boot delays an image; with `from_zero` none is before the
    first image is there, which only makes sense of a single burst.
    """
    boot = max(0.0, world.boot[0] - world.pending) + world.worker_start
    time = within - world.overhead - (world.boot[0] + world.worker_start if from_zero else 0.0)
    time = max(time, 1 / world.images_per_second)
    work = world.work(workload.images)
    instances = _instances(workload, world, time)
    return max(instances * world.cost(boot + work / instances), _presence(workload, world, time, boot))


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
        billed = np.maximum(ran, world.least_billed) * world.cost(world.least_billed) / world.least_billed
        least[last + 1] = np.min(least[: last + 1] + billed)
    return float(least[-1])
