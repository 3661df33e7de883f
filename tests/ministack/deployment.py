"""What the tests of this folder share: one deployment on ministack."""

from dataclasses import dataclass
from pathlib import Path

from novaburst.objects import Bucket
from novaburst.queues import Queue
from novaburst.settings import Settings
from tests.ministack.judge import Judge

SETTINGS = Settings(prefix="judged")


@dataclass(frozen=True)
class Deployment:
    """The stack and the Lambda: its outputs, and the folder that the Lambda was deployed from."""

    judge: Judge
    outputs: dict[str, str]
    staged: Path

    @property
    def environment(self) -> dict[str, str]:
        """For the tiers."""
        return {**self.judge.environment, "NOVABURST_PREFIX": SETTINGS.prefix}

    @property
    def in_bucket(self) -> Bucket:
        """Where uploads lie."""
        return Bucket(self.judge.client("s3"), SETTINGS.in_bucket)

    @property
    def out_bucket(self) -> Bucket:
        """Where results lie."""
        return Bucket(self.judge.client("s3"), SETTINGS.out_bucket)

    def queue(self, name: str) -> Queue:
        """One of its queues, by its whole name."""
        return Queue(self.judge.client("sqs"), name)
