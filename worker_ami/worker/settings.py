"""The worker's settings, from `NOVABURST_*`; on EC2 they come from the environment file that user data writes."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, model_validator

from novaburst.bounds import (
    HEARTBEAT_SECONDS,
    IDLE_SECONDS,
    LONG_POLL_SECONDS,
    MAX_IMAGE_BYTES,
    MAX_IMAGE_PIXELS,
    POISON_RECEIVE_COUNT,
    VISIBILITY_TIMEOUT_SECONDS,
)
from novaburst.settings import Settings
from worker_ami.worker.classifier import GROUP
from worker_ami.worker.engines import EngineName

# Handlers a core: four groups of the classifier's, of which one is computed while the others wait for S3 and SQS. At
# 30 ms a call and 7 ms an image (int8) 24 leave the core idle for a tenth of the time, and 16 for a quarter.
_HELD_PER_THREAD = 4 * GROUP
_MOST_HELD = 1000


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _half_of_the_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _held(data: dict[str, Any]) -> int:
    return min(_MOST_HELD, _HELD_PER_THREAD * int(data.get("threads", 1)))


class WorkerSettings(Settings):
    """What an operator can choose for a worker; times in seconds."""

    # Where the model folder lies: baked into the machine image.
    model_dir: Path = Path("/opt/novaburst/model")
    engine: EngineName = "onnxruntime"
    # How long a worker with nothing to do waits before it ends itself.
    idle_seconds: PositiveInt = IDLE_SECONDS
    # Images computed at once; the default is one a core that this process may use.
    threads: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=_cores)
    # The most messages at work at once, and so the handlers that fetch, classify and answer them.
    held: Annotated[int, Field(ge=1, le=_MOST_HELD)] = Field(default_factory=_held)
    # The longest poll; short enough to end within the time that a terminated machine has left.
    poll_seconds: Annotated[int, Field(ge=1, le=LONG_POLL_SECONDS)] = 5
    # How long each heartbeat hides the held messages from others, and how often it does so.
    visibility_seconds: Annotated[int, Field(ge=2, le=43200)] = VISIBILITY_TIMEOUT_SECONDS
    heartbeat_seconds: PositiveInt = HEARTBEAT_SECONDS
    # The receive count from which an image that no worker could judge is answered with an error, not tried again.
    poison_receive_count: Annotated[int, Field(ge=2)] = POISON_RECEIVE_COUNT
    # How old a worker may grow. Half an hour before the scaling Lambda's net, which counts from the launch.
    max_age_seconds: PositiveInt = 23 * 3600 + 1800
    # How long one image may be computed. Beyond it the worker gives the image back and starts anew, or, where the
    # image was a suspect computed in a child process, kills the child and answers with an error.
    image_seconds: PositiveInt = 60
    # The most memory that such a child may take for itself, in bytes.
    isolation_bytes: PositiveInt = Field(default_factory=_half_of_the_memory)
    # How long a worker that is told to stop may finish what it has begun.
    grace_seconds: PositiveInt = 8
    # The loopback port of the status; 0, where many workers may share a machine, is none. The image's unit says 8080.
    status_port: Annotated[int, Field(ge=0, le=65535)] = 0
    # Whether the status serves input objects as well, to try out an instance's way to S3.
    status_downloads: bool = False
    max_image_bytes: PositiveInt = MAX_IMAGE_BYTES
    max_image_pixels: PositiveInt = MAX_IMAGE_PIXELS

    @model_validator(mode="after")
    def _beats_twice(self) -> Self:
        if 2 * self.heartbeat_seconds > self.visibility_seconds:
            raise ValueError("NOVABURST_HEARTBEAT_SECONDS must be at most half of NOVABURST_VISIBILITY_SECONDS")
        return self
