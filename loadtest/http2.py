"""A unary gRPC echo that costs next to nothing, so that the generator's own limit shows.

A gRPC server takes as much of a machine for a call as the generator does. This one speaks
only as much HTTP/2 (RFC 9113) as a gRPC client needs to hear: it reads no header, sends
each answer's from constants (RFC 7541), and answers every method alike.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from loadtest.echo import FILES

Answer = Callable[[bytes], bytes]
"""From a request message to its response."""

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, section 3.4
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8  # section 6
END_STREAM = ACK = 1
PADDED, END_HEADERS = 8, 4
HEADER = 9  # section 4.1: length, type, flags, stream
INITIAL_WINDOW = 65_535  # section 6.9.2
OUR_WINDOW = 1 << 30
INITIAL_WINDOW_SETTING = 4  # section 6.5.2
GRPC_HEADER = 5  # uncompressed, and the message's length
LONGEST = 16_384 - GRPC_HEADER  # of an answer: it has one frame


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + body


def _literal(name: bytes, value: bytes) -> bytes:
    """Encode a header without indexing or Huffman codes (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


# ":status: 200" is entry 8 of the static table (RFC 7541, appendix A).
BEGIN: Final = b"\x88" + _literal(b"content-type", b"application/grpc")
END: Final = _literal(b"grpc-status", b"0")


class Peer(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, answer: Answer, connected: set["Peer"]) -> None:
        self._answer = answer
        self._connected = connected
        self._buffer = bytearray()
        self._messages: dict[int, bytearray] = {}
        self._window = INITIAL_WINDOW  # what the client still takes, over all streams
        self._held: deque[tuple[int, bytes]] = deque()
        self._greeted = False
        self._unread = 0  # bytes for which the client has not got its window back

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open wide: the client never has to wait for a window."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server makes
        self._transport = transport
        self._connected.add(self)
        window = INITIAL_WINDOW_SETTING.to_bytes(2) + OUR_WINDOW.to_bytes(4)
        transport.write(_frame(SETTINGS, 0, 0, window) + _window(OUR_WINDOW))

    def connection_lost(self, _: Exception | None) -> None:
        """Count as connected no more."""
        self._connected.discard(self)

    def abort(self) -> None:
        """End the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in whatever frames have come whole, and write all answers to them at once."""
        self._buffer += data
        at = 0
        if not self._greeted:
            if len(self._buffer) < len(PREFACE):
                return
            self._greeted, at = True, len(PREFACE)
        out: list[bytes] = []
        while len(self._buffer) - at >= HEADER:
            end = at + HEADER + int.from_bytes(self._buffer[at : at + 3])
            if len(self._buffer) < end:
                break
            kind, flags = self._buffer[at + 3], self._buffer[at + 4]
            stream = int.from_bytes(self._buffer[at + 5 : at + HEADER])
            out += self._taken(kind, flags, stream, bytes(self._buffer[at + HEADER : end]))
            at = end
        del self._buffer[:at]
        self._transport.write(b"".join((*out, *self._given())))

    def _taken(self, kind: int, flags: int, stream: int, body: bytes) -> tuple[bytes, ...]:
        if kind == DATA:
            return self._data(flags, stream, body)
        if kind in (SETTINGS, PING) and not flags & ACK:
            return (_frame(kind, ACK, 0, body if kind == PING else b""),)
        if kind == WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(body)
        return ()

    def _data(self, flags: int, stream: int, body: bytes) -> tuple[bytes, ...]:
        if flags & PADDED:
            raise ValueError("a padded frame, which no gRPC client sends")
        self._messages.setdefault(stream, bytearray()).extend(body)
        if flags & END_STREAM:
            answer = self._answer(bytes(self._messages.pop(stream)[GRPC_HEADER:]))
            if len(answer) > LONGEST:
                raise ValueError(f"an answer of {len(answer)} bytes: at most {LONGEST}")
            self._held.append((stream, answer))
        self._unread += len(body)
        if self._unread < OUR_WINDOW // 2:
            return ()
        back, self._unread = self._unread, 0
        return (_window(back),)

    def _given(self) -> list[bytes]:
        """Return the answers that the client's window lets through."""
        out = []
        while self._held and len(self._held[0][1]) + GRPC_HEADER <= self._window:
            stream, message = self._held.popleft()
            body = b"\0" + len(message).to_bytes(4) + message
            self._window -= len(body)
            out += [
                _frame(HEADERS, END_HEADERS, stream, BEGIN),
                _frame(DATA, 0, stream, body),
                _frame(HEADERS, END_HEADERS | END_STREAM, stream, END),
            ]
        return out


def _window(size: int) -> bytes:
    return _frame(WINDOW_UPDATE, 0, 0, size.to_bytes(4))


@asynccontextmanager
async def serving(certificates: Path, answer: Answer) -> AsyncIterator[str]:
    """Serve with mutual TLS 1.3 on a free port of this host, and give its address.

    See ``Echo`` for the files. No connection is left when it ends.
    """
    key, chain, ca = (str(certificates / name) for name in FILES)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(chain, key)
    tls.set_alpn_protocols(["h2"])
    loop, connected = asyncio.get_running_loop(), set[Peer]()
    server = await loop.create_server(lambda: Peer(answer, connected), "127.0.0.1", 0, ssl=tls)
    async with server:
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:  # a server that is closed leaves its connections as they are, or waits for them
            server.close()
            while connected:
                for peer in tuple(connected):
                    peer.abort()
                await asyncio.sleep(0.01)
