"""The bytes of records: a change here is a change of the log's format."""

import json

import pytest

from signer.audit.record import (
    MAX_BYTES,
    Caller,
    Clock,
    Facts,
    Limit,
    Payload,
    Policy,
    Reason,
    Record,
    Sum,
    Transfer,
    encode,
)

TIME = "2026-01-02T03:04:05.678Z"
USDC = "eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"

TABLE = [
    (
        Record(index=0, time=TIME, clock=Clock("ok"), event="log.opened", outcome="ok"),
        (
            b'{"index":0,"time":"2026-01-02T03:04:05.678Z","clock":{"state":"ok"},'
            b'"event":"log.opened","outcome":"ok"}'
        ),
    ),
    (
        Record(
            index=7,
            time=TIME,
            clock=Clock("behind", 250),
            event="sign.decision",
            outcome="granted",
            request_id="r-1",
            caller=Caller("spiffe://firm.example/a", "ab" * 32, "10.0.0.1:4000"),
            key_version="keys/wd-usdc/versions/1",
            payload=Payload("ethereum.transaction", "cd" * 32),
            facts=Facts(
                "erc20.transfer",
                (
                    Transfer(
                        USDC, "1000000", "payment", "0x1111111111111111111111111111111111111111"
                    ),
                    Transfer("eip155:1/slip44:60", "21000", "fee"),
                ),
                chain_id="1",
                nonce="9",
            ),
            message_sha256="ef" * 32,
            policy=Policy(3, "01" * 32),
            grant="payouts",
            limits=(
                Limit(
                    "USDC@eip155:1", 86_400_000, Sum("0", 0), Sum("1000000", 1), Sum("250000", 200)
                ),
            ),
            approvals=("spiffe://firm.example/officer/a",),
            resumed=True,
        ),
        b'{"index":7,"time":"2026-01-02T03:04:05.678Z","clock":{"state":"behind","behind_ms":250},'
        b'"event":"sign.decision","outcome":"granted","request_id":"r-1",'
        b'"caller":{"san":"spiffe://firm.example/a","certificate_sha256":"' + b"ab" * 32 + b'",'
        b'"address":"10.0.0.1:4000"},"key_version":"keys/wd-usdc/versions/1",'
        b'"payload":{"format":"ethereum.transaction","sha256":"' + b"cd" * 32 + b'"},'
        b'"facts":{"action":"erc20.transfer","transfers":[{"asset":"' + USDC.encode() + b'",'
        b'"amount":"1000000","role":"payment",'
        b'"destination":"0x1111111111111111111111111111111111111111"},'
        b'{"asset":"eip155:1/slip44:60","amount":"21000","role":"fee"}],"chain_id":"1",'
        b'"nonce":"9"},"message_sha256":"' + b"ef" * 32 + b'",'
        b'"policy":{"version":3,"sha256":"' + b"01" * 32 + b'"},"grant":"payouts",'
        b'"limits":[{"asset":"USDC@eip155:1","span_ms":86400000,'
        b'"before":{"total":"0","requests":0},"after":{"total":"1000000","requests":1},'
        b'"max":{"total":"250000","requests":200}}],'
        b'"approvals":["spiffe://firm.example/officer/a"],"resumed":true}',
    ),
    (
        Record(
            index=8,
            time=TIME,
            clock=Clock("ok"),
            event="sign.outcome",
            outcome="unknown",
            request_id="r-1",
            decision=7,
            detail='lost "link"\n\u00e9',
        ),
        (
            b'{"index":8,"time":"2026-01-02T03:04:05.678Z","clock":{"state":"ok"},'
            b'"event":"sign.outcome","outcome":"unknown","request_id":"r-1","decision":7,'
            b'"detail":"lost \\"link\\"\\n\xc3\xa9"}'
        ),
    ),
    (
        Record(
            index=9,
            time=TIME,
            clock=Clock("ok"),
            event="freeze",
            outcome="frozen",
            by="spiffe://firm.example/officer/a",
            scope="asset",
            name="USDC@eip155:1",
        ),
        (
            b'{"index":9,"time":"2026-01-02T03:04:05.678Z","clock":{"state":"ok"},'
            b'"event":"freeze","outcome":"frozen","by":"spiffe://firm.example/officer/a",'
            b'"scope":"asset","name":"USDC@eip155:1"}'
        ),
    ),
]


def base(**members: object) -> Record:
    """Return a refusal with these members."""
    fixed = {"index": 1, "time": TIME, "clock": Clock("ok"), "event": "validate"}
    return Record(**{**fixed, "outcome": "refused", **members})  # type: ignore[arg-type]  # any member


@pytest.mark.parametrize(("record", "body"), TABLE, ids=lambda value: getattr(value, "event", ""))
def test_bytes(record: Record, body: bytes) -> None:
    """Each record has exactly these bytes, for ever."""
    assert encode(record) == body


@pytest.mark.parametrize("character", ["a", "\x00", "\u20ac", "\U0001f600", "\ud800"])
@pytest.mark.parametrize("reasons", [10, 60, 5000])
def test_entries_are_bounded(character: str, reasons: int) -> None:
    """Whatever was sent, an entry fits into 65,535 bytes, says that it was cut, and is UTF-8."""
    text = character * 4000
    reason = Reason("PAYLOAD_MALFORMED", text, text)
    transfer = Transfer(text, text, "payment", text)
    body = encode(
        base(
            reasons=(reason,) * reasons,
            request_id=text,
            caller=Caller(text, text, text),
            key_version=text,
            payload=Payload(text, text),
            facts=Facts(text, (transfer,) * 1000, text, text, text, text),
            limits=(Limit(text, 1, Sum(text, 1), Sum(text, 1), Sum(text, 1)),) * 1000,
            approvals=(text,) * 1000,
            grant=text,
            detail=text,
        )
    )
    assert len(body) <= MAX_BYTES
    record = json.loads(body)
    assert record["truncated"] is True
    assert record["reasons"][0]["code"] == "PAYLOAD_MALFORMED"


def test_only_what_is_too_long_is_cut() -> None:
    """A cut text says how much is missing; everything else stays."""
    record = json.loads(encode(base(detail="x" * 70_000, request_id="r-1")))
    assert record["detail"] == "x" * 1024 + "...(+68976)"
    assert (record["request_id"], record["clock"]) == ("r-1", {"state": "ok"})


def test_a_lone_surrogate_is_written_escaped() -> None:
    """Text that UTF-8 cannot hold does not stop the log."""
    record = json.loads(encode(base(detail="a\ud800b")))
    assert (record["detail"], record["truncated"]) == ("a\\ud800b", True)
