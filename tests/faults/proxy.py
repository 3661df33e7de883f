"""An embedded AWS on a bad day: `python -m tests.faults.proxy --seed N --port P`, and the options of the real one.

It runs the embedded AWS on a port of its own and stands before it. Calls go through unharmed until `POST /faults/on`,
and again after `POST /faults/off`; `GET /faults` tells how many of each fault there were. The embedded AWS asks
`POST /faults/notice` whether an alarm's notice gets through (tests/faults/embedded.py).
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus

import click
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from local_cloud.preflight import free_port
from tests.faults.calls import Call, Refusal, failure, read_call, throttling
from tests.faults.plan import MORE, Fault, Misfortune, loses_notice, misfortune

_LARGEST_BODY = 1 << 26
# The access key of whoever looks at the system from outside, and is spared.
CHECKER = "checker"
_STALE = {action for action, faults in MORE.items() if Fault.STALE in faults}
# A chunked answer is passed on whole, and neither side's connection is the other's.
_OF_ONE_CONNECTION = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "expect"}
)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    def response(self) -> web.Response:
        return web.Response(status=self.status, headers=self.headers, body=self.content)


class Proxy:
    """Passes calls on to `address`, or not."""

    def __init__(self, address: str, seed: int, session: ClientSession) -> None:
        self._address = address
        self._seed = seed
        self._session = session
        self._on = False
        self._calls: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        # The last answer to each read that may be stale, by its address and its body.
        self._read: dict[tuple[str, bytes], _Answer] = {}

    async def control(self, request: web.Request) -> web.Response:
        """The switch and the account."""
        if request.method == "POST":
            self._on = request.path.endswith("/on")
        return web.json_response(dict(self._done))

    async def notice(self, request: web.Request) -> web.Response:
        """Whether the notice of an alarm that comes now is lost."""
        self._calls["notice"] += self._on
        lost = self._on and loses_notice(self._seed, self._calls["notice"])
        self._done["lost notice of an alarm"] += lost
        return web.json_response(lost)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        body = await request.read()
        call = read_call(request.method, request.path, request.headers, body)
        bad = self._next(call)
        if bad is None:
            return await self._pass_on(request, body, call)
        self._done[f"{bad.fault} {call.identity}"] += 1
        return await self._spoil(request, body, call, bad)

    def _next(self, call: Call) -> Misfortune | None:
        if not self._on or call.caller == CHECKER:
            return None
        self._calls[call.identity] += 1
        return misfortune(self._seed, call.action, self._calls[call.identity])

    async def _spoil(self, request: web.Request, body: bytes, call: Call, bad: Misfortune) -> web.StreamResponse:
        if bad.fault is Fault.FAILED or bad.fault is Fault.THROTTLED:
            return _response(failure(call) if bad.fault is Fault.FAILED else throttling(call))
        if bad.fault is Fault.LOST_REQUEST:
            return _cut(request)
        await asyncio.sleep(bad.seconds)
        before = self._read.get((request.path_qs, body))
        answer = await self._pass_on(request, body, call)
        if bad.fault is Fault.LOST_ANSWER:
            return _cut(request)
        if bad.fault is Fault.TWICE:
            if call.action == "ReceiveMessage":
                await self._let_others_receive(request, body, answer)
            else:
                answer = await self._pass_on(request, body, call)
        return before.response() if before and bad.fault is Fault.STALE else answer

    async def _let_others_receive(self, request: web.Request, body: bytes, reply: web.Response) -> None:
        """Make what was just received visible, as if one of SQS's servers had not heard of the delivery."""
        assert isinstance(reply.body, bytes)
        handles = [message["ReceiptHandle"] for message in json.loads(reply.body or b"{}").get("Messages", [])]
        entries = [{"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0} for n, handle in enumerate(handles)]
        if entries:
            target = request.headers["X-Amz-Target"].rpartition(".")[0] + ".ChangeMessageVisibilityBatch"
            again = json.dumps({"QueueUrl": json.loads(body)["QueueUrl"], "Entries": entries}).encode()
            headers = {**_passed(request), "X-Amz-Target": target}
            async with self._session.post(self._address + request.path_qs, headers=headers, data=again) as done:
                await done.read()

    async def _pass_on(self, request: web.Request, body: bytes, call: Call) -> web.Response:
        try:
            async with self._session.request(
                request.method, self._address + request.raw_path, headers=_passed(request), data=body
            ) as reply:
                content = await reply.read()
        except ClientError as error:
            return web.Response(status=502, text=str(error))
        headers = {name: value for name, value in reply.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        if request.method == "HEAD":
            headers["Content-Length"] = reply.headers.get("Content-Length", "0")
        answer = _Answer(reply.status, headers, content)
        if call.action in _STALE and reply.status == HTTPStatus.OK:
            self._read[request.path_qs, body] = answer
        return answer.response()


def _passed(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_CONNECTION}


def _response(refusal: Refusal) -> web.Response:
    return web.Response(status=refusal.status, body=refusal.body, content_type=refusal.content_type)


def _cut(request: web.Request) -> web.StreamResponse:
    """No answer but the end of the connection."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def serve(seed: int, port: int, options: tuple[str, ...]) -> None:
    """Run both until SIGTERM, SIGINT, or the end of the embedded AWS."""
    inner, address = free_port(), f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.faults.embedded", "--port", str(inner), "--address", address, *options]
    embedded = await asyncio.create_subprocess_exec(*command)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with ClientSession(timeout=ClientTimeout(total=60), auto_decompress=False) as session:
        proxy = Proxy(f"http://127.0.0.1:{inner}", seed, session)
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/faults{switch:(/on|/off)?}", proxy.control)
        app.router.add_post("/faults/notice", proxy.notice)
        app.router.add_route("*", "/{path:.*}", proxy.answer)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ended = asyncio.create_task(embedded.wait())
        await asyncio.wait([ended, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
        # The embedded AWS ends its workers before itself, and they have last words for it.
        if embedded.returncode is None:
            embedded.terminate()
            await ended
        await runner.cleanup()


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--seed", type=int, required=True)
@click.option("--port", type=int, required=True)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def main(seed: int, port: int, options: tuple[str, ...]) -> None:
    """Run it."""
    asyncio.run(serve(seed, port, options))


if __name__ == "__main__":
    main()
