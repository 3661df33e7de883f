"""What a scaler could do that knows the future: a bound on cost, to measure the others by."""

from simulator.workloads import Workload
from simulator.world import World


def least_cost(workload: Workload, world: World, finished: float) -> float:
    """The least US dollars for which all images can be answered by `finished` (seconds from the start).

    A bound from below: instances are launched so that they are ready with the first image and end with their last one,
    each is billed for what its boot bills and for its share of the work, and for a minute at least. Fewer instances
    are never dearer, so there are just as many as the time demands.
    """
    work = world.work(workload.images)
    boot = max(0.0, world.boot[0] - world.pending) + world.worker_start
    time = max(finished - world.overhead, 1e-9)
    instances = max(1, -int(-work // time))
    return instances * world.cost(boot + work / instances)
