"""The quick echo: a gRPC client takes it for a server, whatever the sizes are."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from rich.console import Console

from loadtest import http2, peers, runner
from loadtest.live import Lines
from loadtest.target import Target
from tests.loadtest.samples import profile_of

METHOD = "/signer.v1.SigningService/SignPayload"


@pytest.fixture
def echo(certificates: Path) -> Iterator[Target]:
    """A server that sends each message back, or as much of it as an answer may have."""
    with _echo(certificates) as target:
        yield target


@contextmanager
def _echo(certificates: Path) -> Iterator[Target]:
    loop, stopped = asyncio.new_event_loop(), asyncio.Event()
    address: list[str] = []
    serving = threading.Event()

    def answer(message: bytes) -> bytes:
        return message[: http2.LONGEST] if message != b"long" else b"." * 20_000

    async def serve() -> None:
        async with http2.serving(certificates, answer) as found:
            address.append(found)
            serving.set()
            await stopped.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    serving.wait(10)
    yield Target(address[0], certificates)
    loop.call_soon_threadsafe(stopped.set)
    thread.join()
    loop.close()


def test_answers_come_back_to_their_calls(echo: Target) -> None:
    """Many calls at once, of one byte to some hundred KiB, get what they sent, in windows."""
    sizes = [1, 200, 16_379, 300_000] * 50
    with echo.connect("desk") as channel:
        call: Any = channel.unary_unary(METHOD)
        futures = [call.future(bytes([place]) * size) for place, size in enumerate(sizes)]
        answers = [future.result(timeout=20) for future in futures]
    expected = [bytes([place]) * min(size, http2.LONGEST) for place, size in enumerate(sizes)]
    assert answers == expected


def test_an_answer_that_is_too_long_ends_the_connection(
    echo: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it can't send is an error and no answer; the next connection is served."""
    with echo.connect("desk") as channel:
        call: Any = channel.unary_unary(METHOD)
        with pytest.raises(grpc.RpcError):
            call(b"long", timeout=5)
    with echo.connect("desk") as channel:
        call = channel.unary_unary(METHOD)
        assert call(b"short", timeout=5) == b"short"
    capsys.readouterr()


def test_no_connection_is_left(certificates: Path) -> None:
    """It ends those that clients still have, and leaves no socket to the garbage collector."""
    with _echo(certificates) as target:
        channel = target.connect("desk")
        call: Any = channel.unary_unary(METHOD)
        assert call(b"x", timeout=5) == b"x"
    gc.collect()  # what it finds is an error of this test
    channel.close()


def test_nobody_gets_in_without_a_certificate(echo: Target) -> None:
    """It does the TLS that a signer does, else its cost would not be comparable."""
    ca = (echo.certificates / "ca.crt").read_bytes()
    with grpc.secure_channel(echo.address, grpc.ssl_channel_credentials(ca)) as channel:
        call: Any = channel.unary_unary(METHOD)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"x", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_generator_takes_it_for_a_signer(certificates: Path) -> None:
    """Every call of a run is answered as it should be."""
    wanted = profile_of(rate=400)
    with peers.quick_echo(certificates) as target:
        found = runner.run(wanted, replace(target, pids=()), Lines(Console(quiet=True)), 0.0)
    assert found.passed, (found.unexpected, found.invalid)
    assert found.total.outcomes == {"SIGNED": 200}
