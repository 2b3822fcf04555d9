"""The service layer without a socket: everything below it is real."""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc_testing
import pytest
from google.protobuf.message import Message

from deploy.dev.client import intent
from policy import document
from policy.algorithms import Algorithm
from policy.payloads import FORMATS, decode
from signer.approval import Mint
from signer.errors import SigngateError
from signer.hsm import Pool, keys
from signer.hsm.names import KeyVersion
from signer.keyring import Keyring
from signer.ledger import Ledger, Settings
from signer.model import Caller
from signer.rpc.signing_service import SigningService
from signer.signing import Signing
from signer.v1 import signing_service_pb2 as pb
from tests.support.softhsm import SoftHsm

WALLET = Caller("spiffe://firm.example/wallet", "aa" * 32, "192.0.2.1:1000")
STRANGER = Caller("spiffe://firm.example/stranger", "bb" * 32, "192.0.2.2:2000")
KEYS = {
    "rpc-pay": Algorithm.ED25519,
    "rpc-eth": Algorithm.ECDSA_SECP256K1,
    "rpc-tron": Algorithm.ECDSA_SECP256K1,
    "rpc-typed": Algorithm.ECDSA_SECP256K1,
    "rpc-btc": Algorithm.ECDSA_SECP256K1,
    "rpc-mac": Algorithm.HMAC_SHA256,
    "rpc-other": Algorithm.ED25519,
}
INTENT_KEY = """
[keys.{name}]
algorithm = "{algorithm}"
payloads = ["intent", "intent.jws", "intent.cose"]
validators = ["{caller}"]

[[keys.{name}.grants]]
id = "all"
callers = ["{caller}"]
action = "intent.transfer"
assets = ["EUR"]
destinations = ["bob"]

[[keys.{name}.grants]]
id = "jws"
callers = ["{caller}"]
action = "intent.jws.transfer"
assets = ["EUR"]
destinations = ["bob"]

[[keys.{name}.grants]]
id = "cose"
callers = ["{caller}"]
action = "intent.cose.transfer"
assets = ["EUR"]
destinations = ["bob"]

[[keys.{name}.limits]]
asset = "EUR"
per_request = "100"
windows = [{{ span = "1h", total = "1000", count = 500 }}]
"""
ETHEREUM_KEY = """
[keys.rpc-eth]
algorithm = "ecdsa-secp256k1"
payloads = ["ethereum.transaction"]

[[keys.rpc-eth.grants]]
id = "all"
callers = ["spiffe://firm.example/wallet"]
action = "native.transfer"
chain_ids = [1]
assets = ["ETH@eip155:1"]
destinations = ["0x1111111111111111111111111111111111111111"]

[[keys.rpc-eth.limits]]
asset = "ETH@eip155:1"
per_request = "10"
windows = [{ span = "1h", total = "100" }]
"""
PINNED_CALL = """
[assets."USDC@eip155:1"]
contract = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6

[contracts.vault]
address = "0x3333333333333333333333333333333333333333"
chain_id = 1

[contracts.vault.calls.deposit]
signature = "deposit(uint256 assets, address receiver)"
amount = "assets"
asset = "USDC@eip155:1"
destination = "receiver"

[[keys.rpc-eth.grants]]
id = "vault"
callers = ["spiffe://firm.example/wallet"]
action = "call.vault.deposit"
chain_ids = [1]
assets = ["USDC@eip155:1"]
destinations = ["0x1111111111111111111111111111111111111111"]

[[keys.rpc-eth.limits]]
asset = "USDC@eip155:1"
per_request = "10"
windows = [{ span = "1h", total = "100" }]
"""
TYPED_KEY = """
[keys.rpc-typed]
algorithm = "ecdsa-secp256k1"
payloads = ["ethereum.typed-data", "ethereum.message"]

[[keys.rpc-typed.grants]]
id = "permit"
callers = ["spiffe://firm.example/wallet"]
action = "erc20.permit"
chain_ids = [1]
assets = ["USDC@eip155:1"]
destinations = ["0x1111111111111111111111111111111111111111"]
sources = ["0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"]

[[keys.rpc-typed.grants]]
id = "texts"
callers = ["spiffe://firm.example/wallet"]
action = "ethereum.message"
session = true

[[keys.rpc-typed.limits]]
asset = "USDC@eip155:1"
per_request = "10"
windows = [{ span = "1h", total = "100" }]
"""
TRON_KEY = """
[assets."TRX@tron:0x2b6653dc"]
decimals = 6

[assets."USDT@tron:0x2b6653dc"]
contract = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
decimals = 6

[keys.rpc-tron]
algorithm = "ecdsa-secp256k1"
payloads = ["tron.transaction"]

[[keys.rpc-tron.grants]]
id = "all"
callers = ["spiffe://firm.example/wallet"]
action = "trc20.transfer"
assets = ["USDT@tron:0x2b6653dc"]
destinations = ["TMuA6YqfCeX8EhbfYEg5y7S4DqzSJireY9"]
sources = ["TMuA6YqfCeX8EhbfYEg5y7S4DqzSJireY9"]

[[keys.rpc-tron.limits]]
asset = "USDT@tron:0x2b6653dc"
per_request = "10"
windows = [{ span = "1h", total = "100" }]

[[keys.rpc-tron.limits]]
asset = "TRX@tron:0x2b6653dc"
per_request = "10"
windows = [{ span = "1h", total = "100" }]
"""
POLICY = (
    "schema = 1\n[assets.EUR]\ndecimals = 2\n"
    + INTENT_KEY.format(name="rpc-pay", algorithm="ed25519", caller=WALLET.san)
    + INTENT_KEY.format(name="rpc-mac", algorithm="hmac-sha256", caller=WALLET.san)
    + INTENT_KEY.format(name="rpc-other", algorithm="ed25519", caller="spiffe://firm.example/other")
    + ETHEREUM_KEY
    + PINNED_CALL
    + TRON_KEY
    + TYPED_KEY
)


@dataclass
class Port:
    """A service behind the library's own test server.

    ``caller`` is who calls, ``refused`` what every call meets that is to be shed, and
    ``finished`` has the key and the outcome of each payload.
    """

    server: Any
    service: Any
    ledger: Ledger
    finished: list[tuple[str, str]]
    caller: Caller = WALLET
    refused: SigngateError | None = None

    def identify(self, _context: grpc.ServicerContext) -> Caller:
        """Return the caller, or shed the call."""
        if self.refused is not None:
            raise self.refused
        return self.caller

    def unary(self, method: str, request: Message) -> tuple[Any, grpc.StatusCode, str]:
        """Call a method; returns the response, the code and the message.

        The test server drops an error's details; the tests over a socket see them.
        """
        descriptor = self.service.methods_by_name[method]
        rpc = self.server.invoke_unary_unary(descriptor, (), request, 10)
        response, _, code, message = rpc.termination()
        return response, code, message

    def stream(self, method: str, requests: list[Message]) -> list[Any]:
        """Send all requests, close, and return every response."""
        descriptor = self.service.methods_by_name[method]
        rpc = self.server.invoke_stream_stream(descriptor, (), 10)
        for request in requests:
            rpc.send_request(request)
        rpc.requests_closed()
        responses = [rpc.take_response() for _ in requests]
        rpc.termination()
        return responses


def euros(amount: str = "100", destination: str = "bob") -> bytes:
    """Return an intent over cents of EUR that is good for a minute."""
    return intent(
        asset="EUR",
        amount=amount,
        destination=destination,
        nonce=uuid.uuid4().hex,
        expiry=int(time.time()) + 60,
    )


def sign_request(
    payload: bytes | None = None, key: str = "rpc-pay", **fields: Any
) -> pb.SignPayloadRequest:
    """Return a request that is good unless fields say otherwise."""
    members: dict[str, Any] = {
        "name": f"keys/{key}",
        "request_id": uuid.uuid4().hex,
        "payload_format": "intent",
        "payload": euros() if payload is None else payload,
    }
    return pb.SignPayloadRequest(**members | fields)


@pytest.fixture(scope="session")
def rpc_pool_mint(softhsm: SoftHsm) -> Iterator[tuple[Pool, Mint]]:
    """A pool over keys of its own on the shared token."""
    mint = Mint()
    with closing(softhsm.open()) as token:
        for name, algorithm in KEYS.items():
            keys.generate(token, KeyVersion(name, 1), algorithm)
        with closing(Pool(token, sessions=2, redeem=mint.redeem)) as pool:
            yield pool, mint


@pytest.fixture
def port(rpc_pool_mint: tuple[Pool, Mint], tmp_path: Path) -> Iterator[Port]:
    """A signing service over a new ledger."""
    pool, mint = rpc_pool_mint
    with ExitStack() as stack:
        load = partial(document.load, formats=FORMATS)
        ledger = Ledger(tmp_path / "ledger.db", mint, load, Settings("signgate.test/log"))
        stack.enter_context(closing(ledger))
        ledger.bootstrap_policy(POLICY, by="test")
        service = SigningService(
            Signing(ledger, pool),
            Keyring(ledger.policy, pool),
            decode,
            lambda context: made.identify(context),  # noqa: PLW0108 - it is made below
            request_seconds=5,
            finished=lambda key, outcome: made.finished.append((key, outcome)),
        )
        descriptor = pb.DESCRIPTOR.services_by_name["SigningService"]
        server = grpc_testing.server_from_dictionary(
            {descriptor: service}, grpc_testing.strict_real_time()
        )
        made = Port(server, descriptor, ledger, [])
        yield made
