"""A closed loop of calls, for a server's cost at saturation: not for latencies under load.

So many payloads are always under way that the server never waits for work. Open
loops, which do not omit a stall, are ``loadtest run``'s.
"""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import grpc

from loadtest.bench.messages import STREAMS, Load, Messages
from loadtest.errors import LoadtestError
from loadtest.sending import STREAM, UNARY
from loadtest.target import OPTIONS

Channels = Sequence[grpc.aio.Channel]


class Client:
    """Runs one load after the other, each over new connections; lives in its own process.

    Between two orders a load rests: nothing is sent until the next one.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._run: _Run | None = None

    def __call__(self, order: str, *arguments: Any) -> Any:
        """``open`` with a load, ``settle``, then ``count`` with seconds any number of times.

        At last ``shut``, which verifies, or ``drop`` after an error.
        """
        orders: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
            "open": self._open,
            "settle": self._settle,
            "count": self._count,
            "shut": self._shut,
            "drop": self._drop,
        }
        return self._loop.run_until_complete(orders[order](*arguments))

    async def _open(self, load: Load) -> None:
        os.sched_setaffinity(0, {load.cpu} if load.cpu is not None else range(os.cpu_count() or 1))
        self._run = await _Run.start(load)

    async def _settle(self, seconds: float) -> None:
        await self._running.settle(seconds)

    async def _count(self, seconds: float) -> tuple[int, float]:
        return await self._running.count(seconds)

    async def _shut(self) -> None:
        run = self._running
        await self._drop()
        run.messages.verify()

    async def _drop(self) -> None:
        await self._running.stop()
        self._run = None

    @property
    def _running(self) -> "_Run":
        if self._run is None:
            raise LoadtestError("no load is open")
        return self._run


class _Run:
    def __init__(self, load: Load, channels: list[grpc.aio.Channel]) -> None:
        self._load = load
        self._channels = channels
        self.messages = Messages(load)
        self._done = 0
        self._answered = asyncio.Event()
        self._tasks = [
            asyncio.ensure_future(self._work(_share(channels, number, load.calls)))
            for number in range(load.calls)
        ]

    @classmethod
    async def start(cls, load: Load) -> "_Run":
        credentials = load.target.credentials(load.client)
        channels = [
            grpc.aio.secure_channel(load.target.address, credentials, OPTIONS)
            for _ in range(load.connections)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        return cls(load, channels)

    async def settle(self, seconds: float) -> None:
        """Wait so long, until each connection was used about ten times, and each key once.

        The first call over a connection has more to send and to parse, and a key's first
        signature costs SoftHSM half as much again.
        """
        load = self._load
        enough = max(2 * load.calls * load.batch, 10 * load.connections, len(load.keys))
        began = time.perf_counter()
        while self._done < enough or time.perf_counter() - began < seconds:
            await self.count(seconds)

    async def count(self, seconds: float) -> tuple[int, float]:
        """Return how many payloads were answered in so many seconds, and until the next answer.

        So it begins and ends with an answer, as whatever comes before it does: a batch
        that is cut in two would be in one and its cost in the other.
        """
        before, began = self._done, time.perf_counter()
        over = asyncio.ensure_future(self._answer_after(seconds))
        ended, _ = await asyncio.wait((over, *self._tasks), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        for task in ended:
            task.result()
        return self._done - before, time.perf_counter() - began

    async def _answer_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._answered.clear()
        await self._answered.wait()

    async def stop(self) -> None:
        """End the calls."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def _work(self, channels: Channels) -> None:
        try:
            await (self._stream if self._load.method in STREAMS else self._call)(channels)
        except grpc.aio.AioRpcError as error:
            message = f"{self._load.method}: {error.code().name}: {error.details()}"
            raise LoadtestError(message) from None

    async def _call(self, channels: Channels) -> None:
        turns: Any = itertools.cycle([channel.unary_unary(self._path) for channel in channels])
        for wire in self.messages.wires:
            self._count_in(await next(turns)(wire))

    async def _stream(self, channels: Channels) -> None:
        window = asyncio.Semaphore(self._load.batch)

        async def requests() -> AsyncIterator[bytes]:
            for wire in self.messages.wires:
                await window.acquire()
                yield wire

        call: Any = channels[0].stream_stream(self._path)
        async for answer in call(requests()):
            window.release()
            self._count_in(answer)

    def _count_in(self, answer: bytes) -> None:
        self._done += self.messages.check(answer)
        self._answered.set()

    @property
    def _path(self) -> str:
        if self._load.size:
            return f"/{self._load.method}/{self._load.size}"
        return UNARY.get(self._load.method, STREAM)


def _share(channels: Channels, number: int, calls: int) -> Channels:
    """Return the connections that one of so many calls goes round, or its one."""
    return channels[number::calls] or [channels[number % len(channels)]]
