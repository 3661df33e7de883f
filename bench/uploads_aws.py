"""The AWS that the benchmarks of uploads talk to: the worker's light stand-in, which here forgets what it is sent.

`python -m bench.uploads_aws PORT LATENCY_MS`: ten thousand objects of 60 KB, or a thousand of 10 MB, would fill the
machine that the web tier is measured on. The fleet and both buckets are empty for whoever looks.
"""

import asyncio
import json
import sys

from bench.worker_aws import Store, main

_NO_OBJECTS = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
_NO_INSTANCES = b"<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
_NO_MESSAGES = {
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}


class Sink(Store):
    """Takes objects, and forgets them."""

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
        """Status, body and content type of one call."""
        target = headers.get("x-amz-target", "")
        if target.endswith(".GetQueueAttributes"):
            return 200, json.dumps({"Attributes": _NO_MESSAGES}).encode(), "application/x-amz-json-1.0"
        if target or method == "HEAD":
            return await super().answer(method, path, headers, body)
        if method == "PUT":
            return 200, b"", "application/xml"
        if path == "/":
            return 200, _NO_INSTANCES, "text/xml"
        return 200, _NO_OBJECTS, "application/xml"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000, Sink()))
