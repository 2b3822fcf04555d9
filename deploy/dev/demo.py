"""The main job on the embedded defaults, as a client sees it, each step checked.

Usage: python -m deploy.dev.demo [DIRECTORY]   (default .dev/demo)
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import rlp
from eth_account import Account

from deploy.dev import environment
from deploy.dev.client import connect, intent, reason_of
from deploy.dev.serving import Serving
from signer.v1 import approval_service_pb2 as approvals
from signer.v1 import approval_service_pb2_grpc as approvals_grpc
from signer.v1 import audit_service_pb2 as audit
from signer.v1 import audit_service_pb2_grpc as audit_grpc
from signer.v1 import control_service_pb2 as control
from signer.v1 import control_service_pb2_grpc as control_grpc
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as pb_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.dev.environment import Environment

OMNIBUS = "0x1111111111111111111111111111111111111111"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ONE_USDC = 10**6
ETHEREUM = "ethereum.transaction"
ED25519_LENGTH = 64
REFUSALS = 3


class DemoError(Exception):
    """A step did not do what it must."""


def step(text: str) -> None:
    """Announce a step."""
    print(f"\n\033[1m{text}\033[0m", flush=True)


def require(condition: object, text: str) -> None:
    """Show what holds, or fail with it."""
    if not condition:
        raise DemoError(text)
    print(f"  ok  {text}", flush=True)


def usdc_transfer(amount: int, nonce: int = 0) -> bytes:
    """Return an unsigned EIP-1559 transaction that sends USDC to the omnibus address."""
    gwei, gas_limit, chain_id, no_value = 10**9, 65_000, 1, 0
    data = bytes.fromhex("a9059cbb" + OMNIBUS[2:].rjust(64, "0") + f"{amount:064x}")
    contract = bytes.fromhex(USDC[2:])
    fees = [gwei, 50 * gwei, gas_limit]
    encoded: bytes = rlp.encode([chain_id, nonce, *fees, contract, no_value, data, []])
    return b"\x02" + encoded


class Client:
    """A caller with its certificate."""

    def __init__(self, directory: Path, name: str, address: str) -> None:
        self._stub = pb_grpc.SigningServiceStub(connect(directory, name, address))

    def sign(
        self, key: str, payload: bytes, payload_format: str, request_id: str | None = None
    ) -> pb.SignPayloadResponse:
        """Sign a payload; a fresh request id is made when none is given."""
        request = pb.SignPayloadRequest(
            name=f"keys/{key}",
            request_id=request_id or str(uuid.uuid4()),
            payload_format=payload_format,
            payload=payload,
        )
        return self._stub.SignPayload(request, timeout=10)

    def address(self, key: str) -> str:
        """Return the key's Ethereum address."""
        return self._stub.GetPublicKey(pb.GetPublicKeyRequest(name=f"keys/{key}")).ethereum_address


def signs_an_ethereum_transfer(wallet: Client) -> None:
    """A transfer within the policy is signed, and the signature is the key's."""
    step("An Ethereum transfer of 2,500 USDC")
    response = wallet.sign("wd-usdc", usdc_transfer(2_500 * ONE_USDC), ETHEREUM)
    raw = response.ethereum.raw_transaction
    print(f"      raw transaction 0x{raw.hex()[:64]}…")
    signer = Account.recover_transaction(raw)
    require(signer == wallet.address("wd-usdc"), f"eth-account recovers the key's address {signer}")


def signs_a_transfer_intent(payments: Client) -> None:
    """A bank-side transfer document is signed too."""
    step("A transfer intent of 900.00 EUR")
    response = payments.sign("payments", euro_intent("90000"), "intent")
    require(len(response.signature) == ED25519_LENGTH, f"signed by {response.name}")


def euro_intent(amount: str) -> bytes:
    """Return an intent that is good for five minutes."""
    return intent(
        asset="EUR",
        amount=amount,
        destination="DE02120300000000202051",
        nonce=uuid.uuid4().hex,
        expiry=int(time.time()) + 300,
    )


def refuses(reason: str, attempt: Callable[[], object]) -> bool:
    """Tell whether the attempt is refused with this reason; show what the caller sees."""
    try:
        attempt()
    except grpc.RpcError as error:
        seen = reason_of(error)
        print(f"      {error.code().name}, reason {seen}")
        return seen == reason
    return False


def refuses_what_the_policy_forbids(wallet: Client, payments: Client, desk: Client) -> None:
    """Each refusal has a reason that is stable and says no more than its caller may know."""
    step("Over the limit: 60,000 USDC where a request may move 50,000")
    payload = usdc_transfer(60_000 * ONE_USDC)
    over = refuses("LIMIT_PER_REQUEST", lambda: wallet.sign("wd-usdc", payload, ETHEREUM))
    require(over, "refused")
    step("Another caller, who has keys of its own but no grant for this one")
    payload = usdc_transfer(1)
    # An unknown key would look the same.
    require(refuses("KEY_DENIED", lambda: payments.sign("wd-usdc", payload, ETHEREUM)), "refused")
    step("Outside hours: of the day desk and the night desk one is always closed")
    # The night desk first: where it is open until midnight, the day desk stays closed after.
    closed = [
        refuses("OUTSIDE_HOURS", partial(desk.sign, key, euro_intent("100"), "intent"))
        for key in ("night-desk", "day-desk")
    ]
    require(any(closed), "refused")


def replays_a_request(wallet: Client) -> str:
    """The same request again gives the first result; another payload under its id none."""
    step("A retry under the same request id")
    request_id, payload = str(uuid.uuid4()), usdc_transfer(ONE_USDC, nonce=1)
    first = wallet.sign("wd-usdc", payload, ETHEREUM, request_id)
    second = wallet.sign("wd-usdc", payload, ETHEREUM, request_id)
    require(second.replayed and first.signature == second.signature, "the first result came again")
    other = usdc_transfer(ONE_USDC, nonce=2)
    reused = refuses(
        "REQUEST_ID_REUSED", lambda: wallet.sign("wd-usdc", other, ETHEREUM, request_id)
    )
    require(reused, "another payload under that id is refused")
    return request_id


def signs_what_others_approve(payments: Client, directory: Path, address: str) -> None:
    """A large amount waits for two approvers, who read what it does; then it is signed, once."""
    step("An intent of 1,500.00 EUR, where 1,000 need the approval of two others")
    request_id, payload = str(uuid.uuid4()), euro_intent("150000")
    attempt = partial(payments.sign, "payments", payload, "intent", request_id)
    require(refuses("APPROVAL_REQUIRED", attempt), "held")
    for name in ("officer-a", "officer-b"):
        stub = approvals_grpc.ApprovalServiceStub(connect(directory, name, address))
        [held] = stub.ListApprovals(approvals.ListApprovalsRequest(), timeout=10).approvals
        print(f"      {name} reads: {held.summary}")
        digest = held.payload_sha256
        stub.ApproveRequest(
            approvals.ApproveRequestRequest(name=held.name, payload_sha256=digest), timeout=10
        )
    require(len(attempt().signature) == ED25519_LENGTH, "the same request again is signed")


def freezes_a_key(payments: Client, directory: Path, address: str) -> None:
    """Anybody on duty stops a key at once; two officers together let it go on."""
    step("A freeze of the key, and its end by two officers")
    scope, why = control.Scope(key="keys/payments"), "the demonstration"
    attempt = partial(payments.sign, "payments", euro_intent("100"), "intent")
    duty, first, second = (
        control_grpc.ControlServiceStub(connect(directory, name, address))
        for name in ("siem", "officer-a", "officer-b")
    )
    duty.Freeze(control.FreezeRequest(scope=scope, reason=why), timeout=10)
    require(refuses("FROZEN", attempt), "stopped by one")
    thaw = control.UnfreezeRequest(scope=scope, reason=why)
    require(refuses("OFFICER_REQUIRED", lambda: duty.Unfreeze(thaw)), "who is no officer cannot")
    require(first.Unfreeze(thaw, timeout=10).frozen, "nor can one officer alone")
    require(not second.Unfreeze(thaw, timeout=10).frozen, "two together can")
    require(attempt().signature, "signed again")


def tails_the_audit_log(directory: Path, address: str, request_id: str) -> None:
    """Every decision is in the log, with its reasons in full."""
    step("The audit log, live")
    stub = audit_grpc.AuditServiceStub(connect(directory, "siem", address))
    records = []
    for response in stub.TailRecords(audit.TailRecordsRequest(stop_at_end=True), timeout=10):
        record = json.loads(response.record)
        records.append(record)
        reasons = ",".join(reason["code"] for reason in record.get("reasons", ()))
        print(f"      {response.index:3} {record['event']:18} {record['outcome']:10} {reasons}")
    charged = [
        limit["after"]["total"]
        for record in records
        if record.get("request_id") == request_id
        for limit in record.get("limits", ())
        if limit["asset"].startswith("USDC")
    ]
    expected = 2_501 * ONE_USDC
    require(charged == [str(expected)], "the repeated request was charged once: 2,501 USDC in all")
    refused = [record for record in records if record["outcome"] == "refused"]
    require(len(refused) >= REFUSALS, f"{len(records)} records, {len(refused)} refusals among them")


def changes_the_policy(here: Environment, address: str, wallet: Client) -> None:
    """Nobody loosens a policy alone: one officer proposes, another one agrees."""
    step("A policy change: 75,000 USDC in a request, where 50,000 were the most")
    old, new = (here.directory / name for name in ("policy.toml", "next.toml"))
    text = old.read_text(encoding="utf-8")
    new.write_text(text.replace('per_request = "50000"', 'per_request = "75000"'), encoding="utf-8")
    payload = usdc_transfer(60_000 * ONE_USDC, nonce=3)
    made = here.officer("officer-a", address, "propose", str(new), "--reason", "larger payouts")
    print("".join(f"      {line}\n" for line in made.splitlines()), end="")
    require("pending, looser" in made, "it waits for another officer")
    name = next(word for word in made.split() if word.startswith("proposals/")).rstrip(":")
    approve = ("approve", name, "--file", str(new))
    alone = here.officer("officer-a", address, *approve, check=False)
    require("OWN_PROPOSAL" in alone, "its author can't approve it")
    here.officer("officer-b", address, *approve)
    done = here.officer("officer-b", address, "activate", name)
    require("activated" in done, "another officer approves and activates it")
    signed = wallet.sign("wd-usdc", payload, ETHEREUM)
    require(signed.policy_version > 1, "60,000 USDC are signed now")


def verifies_the_audit_log(here: Environment) -> None:
    """The log verifies offline, and one changed byte is found."""
    step("The audit log, offline")
    key = here.signgate("audit", "key", "--config", str(here.config)).stdout.strip()
    log = here.directory / "log"
    good = here.signgate("audit", "verify", str(log), "--key", key)
    require(good.returncode == 0, good.stdout.strip())
    forged = here.directory / "forged-log"
    shutil.copytree(log, forged)
    entries = next((forged / "tile" / "entries").rglob("*.p/*"))
    content = bytearray(entries.read_bytes())
    content[len(content) // 2] ^= 1
    entries.write_bytes(content)
    bad = here.signgate("audit", "verify", str(forged), "--key", key, check=False)
    require(bad.returncode != 0, f"one byte changed: {(bad.stdout + bad.stderr).strip()}")


def run(directory: Path) -> None:
    """Run every step, or raise DemoError."""
    step(f"A throw-away CA, token, keys, policy and configuration in {directory}")
    here = environment.create(directory)
    with Serving(here) as server:
        print(f"      signing port {server.signing}, control port {server.control}")
        wallet = Client(directory, "wallet", server.signing)
        signs_an_ethereum_transfer(wallet)
        payments = Client(directory, "payments", server.signing)
        signs_a_transfer_intent(payments)
        desk = Client(directory, "desk", server.signing)
        refuses_what_the_policy_forbids(wallet, payments, desk)
        signs_what_others_approve(payments, directory, server.control)
        freezes_a_key(payments, directory, server.control)
        request_id = replays_a_request(wallet)
        tails_the_audit_log(directory, server.control, request_id)
        changes_the_policy(here, server.control, wallet)
    verifies_the_audit_log(here)
    step("All of it held.")


def main(arguments: list[str]) -> None:
    """Run in the named directory; exit 1 with one line when a step fails."""
    directory = Path(arguments[0] if arguments else ".dev/demo")
    try:
        run(directory)
    except (DemoError, grpc.RpcError) as error:
        sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
