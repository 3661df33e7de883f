"""The light stand-in for AWS, here with all that workers and a web tier ask for together.

`python -m bench.peers.novaburst.aws PORT LATENCY_MS`
"""

import asyncio
import sys

from bench.uploads_aws import Sink
from bench.worker_aws import Store, main


class Whole(Sink):
    """Keeps the objects that it is sent; for the rest, fleet and buckets look empty as they do to the web tier's."""

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
        """Status, body and content type of one call."""
        is_object = path.count("/") > 1 and "x-amz-target" not in headers
        return await (Store if is_object else Sink).answer(self, method, path, headers, body)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000, Whole()))
