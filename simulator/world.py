"""What the model takes the cloud to be like: delays, speeds and prices, each with its source."""

from dataclasses import dataclass

from novaburst.bounds import VISIBILITY_TIMEOUT_SECONDS
from novaburst.idle import LEAST_BILLED_SECONDS
from scaling_lambda.settings import IDLE_SECONDS, IMAGES_PER_SECOND

# Seconds from RunInstances to a reachable system, and to its state "running", in which billing begins:
# ec2-coldboot-research (23 to 26 s; about 16.5 s).
_BOOT_SECONDS = (23.0, 26.0)
_PENDING_SECONDS = 16.5
# Starting a stopped instance, whose volume is warm (depot.dev, "Making EC2 boot time 8x faster").
_START_SECONDS = 5.0
# From the worker's start to its first message (`make bench`).
_WORKER_START_SECONDS = 1.0
_SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True)
class World:
    """Times in seconds unless said otherwise."""

    # Of one instance.
    images_per_second: float = IMAGES_PER_SECOND
    # Bounds of a uniform distribution.
    boot: tuple[float, float] = _BOOT_SECONDS
    start: float = _START_SECONDS
    worker_start: float = _WORKER_START_SECONDS
    # Of a new instance's boot, the part that is not billed.
    pending: float = _PENDING_SECONDS
    # What an image spends outside queue and worker: upload, result and notice.
    overhead: float = 0.2
    # Of that, from its classification until its message is deleted: so long it is in flight still.
    storing: float = 0.1
    # How old a read of the fleet or of the queue's counts may be (uniform from 0).
    read_lag: float = 2.0
    # From the end of a minute until CloudWatch has a metric of it: bounds of a uniform distribution.
    metrics: tuple[float, float] = (30.0, 90.0)
    # How often a worker looks whether it is sent away (worker_ami.worker.notices).
    notices: float = 5.0
    # When a message that was held by an instance which vanished is given out again.
    visibility: float = float(VISIBILITY_TIMEOUT_SECONDS)
    # How long a worker without work stays at the most (novaburst.idle).
    idle: float = float(IDLE_SECONDS)
    # Instances for which there is room; beyond that a launch gets less than it asked for, or nothing.
    room: int = 1000
    # The probability that a launch is refused for want of capacity, each time.
    capacity_errors: float = 0.0
    # Mean interruptions of a spot instance an hour; 0 for on demand.
    interruptions: float = 0.0
    # US dollars an instance hour.
    price: float = 0.085
    least_billed: float = LEAST_BILLED_SECONDS
    # How much work a worker takes at a time in the model: short against every delay.
    batch_seconds: float = 0.5

    @property
    def price_a_second(self) -> float:
        """US dollars an instance second."""
        return self.price / _SECONDS_AN_HOUR

    def cost(self, ran: float) -> float:
        """US dollars for one uninterrupted run of `ran` billed seconds."""
        return max(ran, self.least_billed) * self.price_a_second

    def work(self, images: int) -> float:
        """Seconds that one instance works on so many images."""
        return images / self.images_per_second
