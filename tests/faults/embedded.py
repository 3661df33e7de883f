"""The embedded AWS, but some notices of alarms are lost on their way: the proxy at its `--address` says which."""

import logging
import sys
from typing import Any

import requests
from moto.sns.models import Subscription

from local_cloud import mends, server
from local_cloud.lambda_host import LambdaHost
from local_cloud.mends.patching import replace

log = logging.getLogger(__name__)


def _lose_notices(proxy: str) -> None:
    @replace(Subscription, "publish")
    def publish(original: Any, self: Subscription, *notice: Any, **options: Any) -> None:
        if self.protocol == "lambda" and requests.post(f"{proxy}/faults/notice", timeout=10).json():
            log.info("a notice of %s is lost", self.topic.arn)
            return
        original(self, *notice, **options)


def main() -> None:
    """Run it until SIGTERM or SIGINT."""
    apply, proxy = mends.apply, sys.argv[sys.argv.index("--address") + 1]

    def apply_and_lose(host: LambdaHost) -> None:
        apply(host)
        _lose_notices(proxy)

    mends.apply = apply_and_lose
    server.main()


if __name__ == "__main__":
    main()
