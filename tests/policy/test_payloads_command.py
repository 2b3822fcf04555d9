"""``signgate payloads``: the formats, and what a payload means."""

from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policy.payloads import FORMATS, decode
from signer.cli.payloads import app
from signer.errors import ConfigError
from tests.policy.payloads.examples import OMNIBUS, TRANSFER, call, token
from tests.policy.payloads_bitcoin.drafts import draft

EXAMPLES = Path(__file__).parents[2] / "deploy/examples"
RENT = str(EXAMPLES / "payloads/rent.json")


@pytest.fixture
def payment(tmp_path: Path) -> str:
    """A transfer of one USDC in a file."""
    path = tmp_path / "payment"
    path.write_bytes(token(call(TRANSFER, OMNIBUS, 10**6)))
    return str(path)


def test_every_format_is_listed() -> None:
    """Each format with its actions and the algorithms of its keys."""
    told = CliRunner().invoke(app, ["list"]).stdout
    assert [line for line in told.splitlines() if line[0] != " "] == sorted(FORMATS)
    assert "intent\n  actions: intent.transfer\n  keys: " in told


def test_a_payload_is_said_in_words(payment: str) -> None:
    """The decoder's words, with the policy's decimals, and what would be signed."""
    policy = f"--policy={EXAMPLES / 'policy.toml'}"
    result = CliRunner().invoke(app, ["decode", payment, "--format=ethereum.transaction", policy])
    assert result.exit_code == 0
    told = result.stdout.splitlines()
    assert told[:4] == [
        "ethereum.transaction",
        "  erc20.transfer on chain 1 nonce 7",
        "  pays 1 USDC@eip155:1 to 0x1111111111111111111111111111111111111111",
        "  costs at most 0.00195 ETH@eip155:1",
    ]
    assert told[4].startswith("  signs ")


def test_a_format_is_found(payment: str) -> None:
    """Without a format all are tried; well-known coins need no policy."""
    told = CliRunner().invoke(app, ["decode", payment]).stdout
    assert told.startswith("ethereum.transaction\n")
    assert "costs at most 0.00195 ETH@eip155:1" in told
    assert "1000000 base units of eip155:1/erc20:0xA0b8" in told


def test_several_messages_are_counted(tmp_path: Path) -> None:
    """What takes several signatures says how many, and the hash that the audit log has."""
    path, payload = tmp_path / "psbt", draft().payload()
    path.write_bytes(payload)
    told = CliRunner().invoke(app, ["decode", str(path), "--format=bitcoin.psbt"]).stdout
    digest = sha256(b"".join(decode("bitcoin.psbt", payload).messages)).hexdigest()
    assert told.splitlines()[-1] == f"  signs 2 messages, 364 bytes, sha256 {digest}"


def test_standard_input_is_read() -> None:
    """A dash stands for standard input."""
    result = CliRunner().invoke(app, ["decode", "-"], input=Path(RENT).read_bytes())
    assert result.stdout.startswith("intent\n  intent.transfer nonce rent-2026-12\n")


def test_a_refusal_is_explained() -> None:
    """The exit code is 3, the reason stands on standard error."""
    result = CliRunner().invoke(app, ["decode", "-", "--format=intent"], input=b"{}")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == 'intent: PAYLOAD_UNSUPPORTED $.schema: is not "signgate.intent/1"\n'


def test_what_nobody_reads_is_refused() -> None:
    """Rubbish is no payload; naming a format says why."""
    result = CliRunner().invoke(app, ["decode", "-"], input=b"\xff\xfe")
    assert result.exit_code == 3
    assert "no format reads it" in result.stderr


def test_a_missing_file_is_one_line() -> None:
    """The file is named."""
    result = CliRunner().invoke(app, ["decode", "/nowhere"])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == "/nowhere: No such file or directory"
