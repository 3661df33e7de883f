"""What a burst will take: the fewest instances that finish in time, found with the model and the Lambda's own rule."""

import bisect
from dataclasses import dataclass
from math import ceil

from simulator.run import Outcome, run
from simulator.scalers.ours import Lambda, limits
from simulator.workloads import burst
from simulator.world import World


@dataclass(frozen=True)
class Estimate:
    """Instances at once, the setting that gives them, and what the model says of the run."""

    instances: int
    images_per_worker: int
    outcome: Outcome
    # Whether it finishes within the time that was asked for.
    in_time: bool


def estimate(images: int, within: float, world: World, maximum: int) -> Estimate:
    """The fewest instances, up to `maximum`, with which `images` uploaded at once are answered within so many seconds.

    When even the most are too few, the estimate is theirs.
    """
    most = max(1, min(maximum, images))
    played: dict[int, Outcome] = {}

    def finished(instances: int) -> float:
        played[instances] = _play(images, instances, world, maximum)
        return played[instances].finished

    candidates = range(1, most + 1)
    # More instances never finish later: the first that is in time is found by halving.
    place = bisect.bisect_left(candidates, True, key=lambda instances: finished(instances) <= within)
    tried = candidates[min(place, most - 1)]
    outcome = played.get(tried) or _play(images, tried, world, maximum)
    images_per_worker = share(images, tried)
    # A share is whole images, so some of those tried may be left without any: 30 images at 2 each take 15, not 20.
    return Estimate(ceil(images / images_per_worker), images_per_worker, outcome, outcome.finished <= within)


def share(images: int, instances: int) -> int:
    """The images a worker that give at most so many instances to this backlog."""
    return ceil(images / instances)


def _play(images: int, instances: int, world: World, maximum: int) -> Outcome:
    scaler = Lambda("estimate", limits(idle=world.idle))
    return run(burst(images), scaler, world, images_per_worker=share(images, instances), maximum=maximum)
