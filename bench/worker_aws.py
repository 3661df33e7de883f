"""A light stand-in for S3, SQS and the metadata service, so that a benchmark of the worker measures the worker.

`python -m bench.worker_aws PORT LATENCY_MS`: one process, everything in memory, each S3 and SQS call answered after the
latency, as many at once as are asked. moto answers 100 to 180 calls a second and would be what is measured; this one
takes some 0.3 ms of CPU a call. It knows no signatures, errors or visibility timeout: correctness is tested elsewhere.
"""

import asyncio
import hashlib
import json
import sys
import uuid
from collections import deque
from typing import Any
from urllib.parse import unquote, urlsplit

INSTANCE = "i-0123456789abcdef0"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Store:
    """The objects by path and the queues by name."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.queues: dict[str, deque[str]] = {}
        self.arrived = asyncio.Condition()

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
        """Status, body and content type of one call."""
        if target := headers.get("x-amz-target"):
            reply = await self._queue_call(target.rpartition(".")[2], json.loads(body))
            return 200, json.dumps(reply).encode(), "application/x-amz-json-1.0"
        if method == "PUT":
            self.objects[path] = body
            return 200, b"", "application/xml"
        if path in self.objects:
            return 200, self.objects[path], "application/octet-stream"
        return 404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>", "application/xml"

    async def _queue_call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        if action in ("GetQueueUrl", "CreateQueue"):
            return {"QueueUrl": f"http://127.0.0.1:{sys.argv[1]}/{request['QueueName']}"}
        queue = self.queues.setdefault(request["QueueUrl"].rpartition("/")[2], deque())
        entries = [entry["Id"] for entry in request.get("Entries", [])]
        if action == "SendMessage":
            await self._send(queue, [request["MessageBody"]])
            return {"MessageId": "m", "MD5OfMessageBody": _md5(request["MessageBody"])}
        if action == "SendMessageBatch":
            bodies = [entry["MessageBody"] for entry in request["Entries"]]
            await self._send(queue, bodies)
            return _done([{"MD5OfMessageBody": _md5(body), "MessageId": "m"} for body in bodies], entries)
        if action == "ReceiveMessage":
            return {"Messages": await self._receive(queue, request)}
        return _done([{} for _ in entries], entries)

    async def _send(self, queue: "deque[str]", bodies: list[str]) -> None:
        async with self.arrived:
            queue.extend(bodies)
            self.arrived.notify_all()

    async def _receive(self, queue: "deque[str]", request: dict[str, Any]) -> list[dict[str, Any]]:
        async with self.arrived:
            try:
                await asyncio.wait_for(self.arrived.wait_for(lambda: queue), request.get("WaitTimeSeconds", 0))
            except TimeoutError:
                return []
            bodies = [queue.popleft() for _ in range(min(len(queue), request.get("MaxNumberOfMessages", 1)))]
        return [_message(body) for body in bodies]


def _done(answers: list[dict[str, str]], ids: list[str]) -> dict[str, Any]:
    return {"Successful": [{"Id": one, **answer} for one, answer in zip(ids, answers, strict=True)], "Failed": []}


def _message(body: str) -> dict[str, Any]:
    handle = uuid.uuid4().hex
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1"}
    return {
        "MessageId": handle,
        "ReceiptHandle": handle,
        "Body": body,
        "MD5OfBody": _md5(body),
        "Attributes": attributes,
    }


def _md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def _metadata(method: str, path: str) -> tuple[int, bytes, str]:
    known = {"/latest/api/token": b"token", "/latest/meta-data/instance-id": INSTANCE.encode()}
    return (200, known[path], "text/plain") if path in known else (404, b"", "text/plain")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, store: Store, latency: float) -> None:
    """Answer one connection's calls, one after the other."""
    while True:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(_CONTINUE)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = unquote(urlsplit(target).path)
        if path.startswith("/latest/"):
            status, content, kind = _metadata(method, path)
        else:
            await asyncio.sleep(latency)
            status, content, kind = await store.answer(method, path, headers, body)
        tag = '"0"'
        lines = (
            f"HTTP/1.1 {status} OK",
            f"Content-Length: {len(content)}",
            f"Content-Type: {kind}",
            f"ETag: {tag}",
            "Last-Modified: Wed, 25 Nov 2026 00:00:00 GMT",
        )
        writer.write("\r\n".join((*lines, "", "")).encode() + content)
        await writer.drain()


async def main(port: int, latency: float, store: Store) -> None:
    """Serve until killed."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer, store, latency)

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=1 << 25)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000, Store()))
