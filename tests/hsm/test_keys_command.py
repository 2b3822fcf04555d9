"""``signgate keys`` on a real token."""

import hashlib
import hmac
import time
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from typer.testing import CliRunner, Result

from policy.algorithms import Algorithm
from signer.approval import Mint
from signer.cli.keys import app
from signer.errors import ConfigError
from signer.hsm import Pool, Token
from tests.support.signing import approval
from tests.support.softhsm import SoftHsm

IMPORT = ("import-secret", "a", "--algorithm", "hmac-sha256", "--encoding", "hex")
SECRET = "0123456789abcdef0123456789abcdef"


def _run(softhsm: SoftHsm, *arguments: str, stdin: str | None = None) -> Result:
    where = ("--module", str(softhsm.module), "--token", "signgate-scratch")
    pin = ("--pin-file", str(softhsm.pin_file))
    return CliRunner().invoke(app, [*arguments, *where, *pin], input=stdin)


def _output(softhsm: SoftHsm, *arguments: str, stdin: str | None = None) -> str:
    result = _run(softhsm, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.output


def test_generate_list_public(softhsm: SoftHsm, scratch: Token) -> None:
    """A generated key is listed, and its public half is PEM."""
    made = _output(softhsm, "generate", "wd", "--algorithm", "ed25519", "--version", "3")
    assert made == "keys/wd/versions/3\n"
    rsa = ("--algorithm", "rsa-pss-sha256", "--bits", "2048")
    assert _output(softhsm, "generate", "rsa", *rsa) == "keys/rsa/versions/1\n"
    assert _output(softhsm, "list") == (
        "keys/rsa/versions/1 rsa-pkcs1-sha256 rsa-pss-sha256\nkeys/wd/versions/3 ed25519\n"
    )
    pem = _output(softhsm, "public", "wd", "--version", "3")
    assert isinstance(load_pem_public_key(pem.encode()), Ed25519PublicKey)


def test_import_secret(softhsm: SoftHsm, scratch: Token, tmp_path: Path) -> None:
    """A secret from standard input and the same from a file are the same MAC key."""
    options = ("--algorithm", "hmac-sha256", "--encoding")
    _output(softhsm, "import-secret", "one", *options, "hex", stdin=SECRET + "\n")
    file = tmp_path / "secret"
    file.write_bytes(b"a secret from a file")
    _output(softhsm, "import-secret", "two", *options, "raw", "--file", str(file))
    mint = Mint()
    for key, secret in (("one", bytes.fromhex(SECRET)), ("two", file.read_bytes())):
        issued = mint.issue(approval(Algorithm.HMAC_SHA256, b"m", key=key))
        with closing(Pool(scratch, sessions=1, redeem=mint.redeem)) as pool:
            mac = pool.sign(issued, time.monotonic() + 5)
        assert mac == hmac.digest(secret, b"m", hashlib.sha256)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("generate", "Bad", "--algorithm", "ed25519"), "key name 'Bad'"),
        (("generate", "a", "--algorithm", "ed25519", "--bits", "9"), "bits are for RSA only"),
        (("public", "a"), "keys/a/versions/1 is not on the token"),
        ((*IMPORT, "--file", "/nowhere"), "/nowhere: No such file"),
    ],
)
def test_problems(
    softhsm: SoftHsm, scratch: Token, arguments: tuple[str, ...], problem: str
) -> None:
    """What is wrong is one line for the operator."""
    result = _run(softhsm, *arguments)
    assert isinstance(result.exception, ConfigError)
    assert problem in str(result.exception)


def test_no_public_half(softhsm: SoftHsm, scratch: Token) -> None:
    """An HMAC key has nothing to print."""
    _output(softhsm, "generate", "mac", "--algorithm", "hmac-sha384")
    result = _run(softhsm, "public", "mac")
    assert "has no public half" in str(result.exception)


def test_which_token() -> None:
    """Without a configuration the module, the token and the PIN file are all needed."""
    result = CliRunner().invoke(app, ["list", "--token", "signgate-scratch"])
    assert "needs --config, or --module, --token and --pin-file" in str(result.exception)


def test_configuration_file(softhsm: SoftHsm, scratch: Token, tmp_path: Path) -> None:
    """The service's own configuration file says which token."""
    example = Path("deploy/examples/signgate.toml").read_text()
    config = tmp_path / "signgate.toml"
    config.write_text(
        example.replace('token = "signgate"', 'token = "signgate-scratch"').replace(
            'pin = { file = "pin" }', f'pin = {{ file = "{softhsm.pin_file}" }}'
        )
    )
    _output(softhsm, "generate", "wd", "--algorithm", "ed25519")
    result = CliRunner().invoke(app, ["list", "--config", str(config)])
    assert result.output == "keys/wd/versions/1 ed25519\n", result.exception


def test_secret_is_no_argument(softhsm: SoftHsm, scratch: Token) -> None:
    """The secret itself cannot be an argument, where other users of the host would see it."""
    result = _run(softhsm, *IMPORT, SECRET)
    assert result.exit_code == 2
    assert "unexpected extra argument" in result.output
