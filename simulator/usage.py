"""How much of AWS an image, a minute with work and an hour at rest use.

What is called measured is what `python -m bench requests` prints (bench/RESULTS.md). The others follow from the
settings, the code and infra/template.yaml; tests/unit/simulator/test_usage.py compares them.
"""

from dataclasses import dataclass

from scaling_lambda.settings import POLL_SECONDS, WATCH_SECONDS


@dataclass(frozen=True)
class Image:
    """One image on its way through the system: measured, of its two ways the dearer, rounded up."""

    # The image and its result; and while images wait, a listing or a look for a result now and then (web_tier.sweeper).
    puts: float = 2.01
    gets: float = 1.05
    sqs: float = 1.5
    result_bytes: float = 480.0
    # The worker's log, with the 26 bytes that CloudWatch adds to a line
    # (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).
    log_bytes: float = 360.0


@dataclass(frozen=True)
class Look:
    """One evaluation of the Lambda: a read of the queue's counts, a read of the fleet, which is free, and two lines."""

    sqs: float = 1.0
    # Measured is 0.1 s with 30 ms a call; EC2's descriptions take longer than that.
    seconds: float = 0.2
    # Measured, and Lambda's own three lines an invocation.
    log_bytes: float = 2_100.0


@dataclass(frozen=True)
class Minute:
    """A minute with images or instances: the Lambda looks all the time, and the web tier wakes it and samples."""

    # The web tier's two processes send a wake-up each three seconds at most (web_tier.waker).
    wakes: float = 40.0
    # Looks of the scheduled function, whose one invocation lasts as long as it watches.
    looks: float = float(1 + WATCH_SECONDS // POLL_SECONDS)
    seconds: float = float(WATCH_SECONDS)
    # The web tier's samples of the fleet (web_tier.sampler).
    sqs: float = 12.0
    # Four metrics of the queue, asked for by the Lambda and by each process of the web tier when there may be workers
    # too many, or launches in vain (scaling_lambda.traffic).
    metric_reads: float = 12.0


@dataclass(frozen=True)
class Rest:
    """An hour without images or workers, by default settings."""

    # Invocations of the scheduled function, with one look each.
    looks: float = 60.0
    # The listener's long polls of three seconds, its looks for dead letters, and the web tier's samples: measured.
    sqs: float = 1200.0 + 40.0 + 60.0
    # Lambda polls the wake queue with five long polls of 20 s at once, for which the queue's owner pays:
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html and
    # https://repost.aws/knowledge-center/sqs-high-charges
    wake_polls: float = 5 * 180.0
    # What CloudWatch keeps of the Lambda's evaluations, of a worker's log, and what the template has of the others.
    # Metric math pays for each metric.
    metrics: int = 13
    alarm_metrics: int = 7
    dashboards: int = 1


@dataclass(frozen=True)
class Worker:
    """What each instance has, beside its price."""

    # The AMI's volume (worker_ami/packer.json), and of its snapshot the most that can be.
    disk_gb: float = 20.0
    # A public address: the template names no subnet, and those of a default VPC give one.
    addresses: float = 1.0
    # Metrics of all workers together, without those of errors.
    metrics: int = 8
    # An hour's long polls of 5 s of one that has nothing to do.
    sqs: float = 720.0


# How long the worker's log is kept (infra/template.yaml). The Lambda's is not ended by anything.
LOG_DAYS = 30.0
# Of the Lambda (.chalice/config.json), in GB.
LAMBDA_GB = 0.5
