"""A signer that can't start says why in one line, and a wrong PIN is tried once."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.dev import environment
from deploy.dev.environment import Environment


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An installation that is broken in another way by each test."""
    return environment.create(tmp_path_factory.mktemp("broken"))


@pytest.fixture
def broken(template: Environment, tmp_path: Path) -> Environment:
    """A copy of it that may be damaged."""
    return template.copy(tmp_path / "copy")


def change(path: Path, old: str, new: str) -> None:
    """Replace text that is there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def started(here: Environment) -> subprocess.CompletedProcess[str]:
    """Try to start the server, which must end by itself."""
    return here.signgate("serve", "--config", str(here.config), check=False)


def no_config(here: Environment) -> None:
    """Take the configuration file away."""
    here.config.unlink()


def not_toml(here: Environment) -> None:
    """Break the configuration's syntax."""
    here.config.write_text("[signing\n", encoding="utf-8")


def unknown_field(here: Environment) -> None:
    """Misspell a field."""
    change(here.config, "sessions = 4", "session = 4")


def bad_address(here: Environment) -> None:
    """Listen on a host name."""
    change(here.config, 'listen = "127.0.0.1:0"', 'listen = "signer.example:1"')


def no_module(here: Environment) -> None:
    """Name a library that is not there."""
    change(here.config, "libsofthsm2.so", "no-such-library.so")


def no_token(here: Environment) -> None:
    """Name a token that is not there."""
    change(here.config, 'token = "signgate"', 'token = "elsewhere"')


def no_pin(here: Environment) -> None:
    """Take the PIN away."""
    (here.directory / "pin").unlink()


def open_pin(here: Environment) -> None:
    """Let everybody read the PIN."""
    (here.directory / "pin").chmod(0o644)


def wrong_pin(here: Environment) -> None:
    """Give a PIN that is not the token's."""
    (here.directory / "pin").write_text("000000", encoding="utf-8")


def wrong_policy(here: Environment) -> None:
    """Use an asset without a limit."""
    change(here.directory / "policy.toml", 'asset = "ETH@eip155:1"', 'asset = "ETH@eip155:10"')


def wrong_root(here: Environment) -> None:
    """Ask for more approvals than there are officers."""
    change(here.directory / "root.toml", "root_quorum = 2", "root_quorum = 3")


def no_root(here: Environment) -> None:
    """Take the root document away."""
    (here.directory / "root.toml").unlink()


def key_not_on_token(here: Environment) -> None:
    """Name a key that the token lacks."""
    change(here.directory / "policy.toml", "keys.day-desk", "keys.no-desk")


def no_canary_key(here: Environment) -> None:
    """Let a key sign canaries that the token lacks."""
    change(here.config, 'key = "signgate-canary"', 'key = "no-canary"')


def no_certificate(here: Environment) -> None:
    """Take the certificate away."""
    (here.directory / "server.crt").unlink()


def bad_certificate(here: Environment) -> None:
    """Put something else in its place."""
    (here.directory / "server.crt").write_text("no certificate", encoding="utf-8")


def foreign_key(here: Environment) -> None:
    """Use a private key that is not the certificate's."""
    content = (here.directory / "payments.key").read_bytes()
    (here.directory / "server.key").write_bytes(content)


def not_a_ledger(here: Environment) -> None:
    """Put something else in the ledger's place."""
    (here.directory / "ledger.db").write_text("not a ledger" * 100, encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (no_config, "signgate.toml: No such file"),
        (not_toml, "not TOML"),
        (unknown_field, "hsm.session"),
        (bad_address, "signing.listen"),
        (no_module, "no-such-library.so"),
        (no_token, "'elsewhere'"),
        (no_pin, "pin: No such file"),
        (open_pin, "others may use it"),
        (wrong_pin, "the PIN is wrong"),
        (wrong_policy, "keys.wd-usdc"),
        (wrong_root, "root.toml: root_quorum: is 3; at most 2"),
        (no_root, "root.toml: No such file"),
        (key_not_on_token, "keys/no-desk/versions/1"),
        (no_canary_key, "canary.key: keys/no-canary/versions/1 is not on the token"),
        (no_certificate, "server.crt: No such file"),
        (bad_certificate, "server.crt"),
        (foreign_key, "server.key"),
        (not_a_ledger, "ledger.db"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_one_clear_line_and_no_traceback(
    broken: Environment, damage: Callable[[Environment], None], expected: str
) -> None:
    """It exits with 1 and one line that names what is wrong."""
    damage(broken)
    ended = started(broken)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("signgate: ")
    assert ended.stderr.count("\n") == 1
    assert expected in ended.stderr


def test_a_busy_port_is_named(broken: Environment) -> None:
    """A port that somebody else listens on is not shared."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        change(broken.config, 'listen = "127.0.0.1:0"', f'listen = "{address}"')
        ended = started(broken)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"{address}: can't listen there" in ended.stderr


def test_a_wrong_pin_does_not_lock_the_token(broken: Environment) -> None:
    """After a start with a wrong PIN the right one still works."""
    right = (broken.directory / "pin").read_text(encoding="utf-8")
    wrong_pin(broken)
    assert "tried once" in started(broken).stderr
    (broken.directory / "pin").write_text(right, encoding="utf-8")
    assert broken.signgate("keys", "list", "--config", str(broken.config)).returncode == 0
