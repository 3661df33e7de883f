"""Clients that upload one file after another, each over a connection of its own, with as little CPU as can be.

`python -m bench.uploads_clients URL CLIENTS BYTES SECONDS FILES`: every client sends files of so many bytes to
`/api/v1/upload` until the seconds are over or it has sent so many. How long all of it took, and the seconds of each
upload in a list a client, are printed as JSON. The requests are made beforehand and sent from one buffer, so that what
is measured is the server.
"""

import asyncio
import json
import os
import socket
import sys
import time
from urllib.parse import urlsplit

_BOUNDARY = "bench-boundary"


def request(host: str, size: int) -> bytes:
    """One upload of one file of that many bytes, as a browser sends it."""
    part = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = part.encode() + os.urandom(size) + f"\r\n--{_BOUNDARY}--\r\n".encode()
    head = (
        f"POST /api/v1/upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
    )
    return head.encode() + body


class Client:
    """One client; a connection that the server closes is opened anew."""

    def __init__(self, host: str, port: int, message: bytes) -> None:
        self._address = (host, port)
        self._message = message
        self._socket: socket.socket | None = None
        self.seconds: list[float] = []

    async def upload(self, until: float, files: int) -> None:
        """Send files until then, at most so many.

        Raises:
            RuntimeError: an upload was not taken; the text is the answer.
        """
        while time.perf_counter() < until and len(self.seconds) < files:
            began = time.perf_counter()
            status, keeps, answer = await self._exchange()
            if status not in (200, 202):
                raise RuntimeError(f"{status}: {answer[:500]!r}")
            self.seconds.append(time.perf_counter() - began)
            if not keeps and self._socket is not None:
                self._socket.close()
                self._socket = None
        if self._socket is not None:
            self._socket.close()

    async def _exchange(self) -> tuple[int, bool, bytes]:
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(self._socket, self._address)
        await loop.sock_sendall(self._socket, self._message)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += await self._more()
        keeps = first.startswith("HTTP/1.1") and headers.get("connection", "").lower() != "close"
        return int(first.split()[1]), keeps, body

    async def _more(self) -> bytes:
        assert self._socket is not None  # noqa: S101 - only an exchange reads
        chunk = await asyncio.get_running_loop().sock_recv(self._socket, 64 * 1024)
        if not chunk:
            raise RuntimeError("the server hung up")
        return chunk


async def main(url: str, clients: int, size: int, seconds: float, files: int) -> None:
    """Run the clients and print what they saw."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    message = request(f"{host}:{port}", size)
    all_of_them = [Client(host, port, message) for _ in range(clients)]
    began = time.perf_counter()
    await asyncio.gather(*(client.upload(began + seconds, files) for client in all_of_them))
    took = time.perf_counter() - began
    sys.stdout.write(json.dumps({"took": took, "seconds": [client.seconds for client in all_of_them]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
