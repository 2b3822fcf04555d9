"""Verifying a published log: whatever is changed in it is found."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signer.audit.note import Checkpoint, Verifier, sign_note
from signer.audit.verify import VerificationError, verify
from signer.cli.commands import app
from signer.errors import ConfigError
from tests.support.logs import KEY, VERIFIER, Published


def publish(published: Published, *sizes: int) -> Path:
    """Publish the log at these sizes, one after the other."""
    publisher = published.publisher()
    for size in sizes:
        published.grow(size)
        publisher.publish()
    return published.directory


def test_every_byte_counts(published: Published) -> None:
    """No byte of any file of a log can be changed without being noticed."""
    directory = publish(published, 3, 5)
    assert published.verify().ignored == ()
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        data = path.read_bytes()
        for position in range(len(data)):
            changed = bytearray(data)
            changed[position] ^= 1 + position % 255
            path.write_bytes(changed)
            with pytest.raises(VerificationError):
                published.verify()
        for changed_length in (data[:-1], data + b"\x00", b""):
            path.write_bytes(changed_length)
            with pytest.raises(VerificationError):
                published.verify()
        path.write_bytes(data)
    published.verify()


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("tile/entries/000", lambda data: data.replace(b"bob", b"eve", 1), "entry 2 was changed"),
        ("tile/entries/000", lambda data: data + b"\x00\x00", "has 257 entries"),
        ("tile/entries/000", lambda data: data[:-1], "ends within"),
        ("tile/entries/002.p/88", lambda data: data.replace(b"bob", b"eve", 1), "entry 512 was"),
        ("tile/0/001", lambda data: b"\x00" + data[1:], "tile/0/001: not what the tile above"),
        ("tile/0/001", lambda data: data[:-32], "tile/0/001: has 8160 bytes"),
        ("tile/1/000.p/2", lambda data: data[32:] + data[:32], "do not add up"),
        ("tile/0/002.p/88", lambda data: data[32:] + data[:32], "do not add up"),
        ("tile/0/000.p/30", lambda data: data[32:] + data[:32], "not the beginning of tile/0/000"),
        ("tile/entries/000.p/30", lambda data: data[:-9], "not the beginning of tile/entries/000"),
    ],
)
def test_what_is_wrong_is_named(
    published: Published, path: str, change: Callable[[bytes], bytes], message: str
) -> None:
    """The message says which entry or which tile is not what was signed."""
    file = publish(published, 30, 600) / path
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(VerificationError, match=message):
        published.verify()


def test_missing_and_foreign_files(published: Published) -> None:
    """Every tile has to be there, and nothing else."""
    directory = publish(published, 300)
    for path in [path for path in directory.rglob("*") if path.is_file()]:
        aside = path.rename(published.base / "aside")
        with pytest.raises(VerificationError, match=r"is missing|No such file"):
            published.verify()
        aside.rename(path)
    (directory / "tile/0/000.p").mkdir()
    (directory / "tile/0/000.p/256").write_bytes(b"")
    with pytest.raises(VerificationError, match=r"tile/0/000\.p/256: is no part of a log"):
        published.verify()


def test_what_is_not_yet_signed_is_told(published: Published) -> None:
    """Files of a later publication are no error, but the verifier says that it ignored them."""
    directory = publish(published, 300)
    early = (directory / "checkpoint").read_bytes()
    publish(published, 600)
    (directory / "checkpoint").write_bytes(early)
    (directory / "checkpoint.new").write_bytes(b"half")
    verified = published.verify()
    assert verified.head.size == 300
    assert verified.ignored == (
        "checkpoint.new",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/001",
        "tile/entries/002.p/88",
    )


def test_an_empty_log(tmp_path: Path) -> None:
    """A checkpoint over nothing verifies; without any file there is no log."""
    with pytest.raises(VerificationError, match="checkpoint: No such file"):
        verify(tmp_path, VERIFIER)
    empty = Checkpoint(
        VERIFIER.name,
        0,
        bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ).text
    (tmp_path / "checkpoint").write_bytes(sign_note(empty, VERIFIER, KEY.sign(empty)))
    assert verify(tmp_path, VERIFIER).head.size == 0


def test_another_log_of_the_same_key(tmp_path: Path) -> None:
    """A checkpoint whose origin is not the key's name is of another log."""
    text = Checkpoint("other.example/log", 0, bytes(32)).text
    (tmp_path / "checkpoint").write_bytes(sign_note(text, VERIFIER, KEY.sign(text)))
    with pytest.raises(VerificationError, match=r"of the log 'other\.example/log'"):
        verify(tmp_path, VERIFIER)


def run(*arguments: object) -> tuple[int, str]:
    """Run ``signgate audit verify``."""
    result = CliRunner().invoke(app, ["audit", "verify", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_the_command(published: Published) -> None:
    """The command prints size and root and exits with 0, or says what is wrong and exits with 1."""
    directory = publish(published, 300)
    key_file = published.base / "log.vkey"
    key_file.write_text(VERIFIER.vkey + "\n")
    line = f"verified: 300 entries, root {published.ledger.checkpoint_text().split()[2].decode()}\n"
    assert run(directory, "--key", VERIFIER.vkey) == (0, line)
    assert run(directory, "--key-file", key_file) == (0, line)
    assert run("--ledger", published.bench.path) == (0, line)
    (directory / "checkpoint.new").write_bytes(b"half")
    ignored = "not covered by the checkpoint: checkpoint.new\n"
    assert run(directory, "--key", VERIFIER.vkey) == (0, ignored + line)
    shutil.rmtree(directory / "tile/entries")
    code, output = run(directory, "--key", VERIFIER.vkey)
    assert code == 1
    assert "WRONG: tile/entries/000: is missing" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the log's key is needed"),
        (("log",), "the log's key is needed"),
        (("log", "--key", "a", "--key-file", "b"), "exactly one of --key or --key-file"),
        (("log", "--key", "a"), "the verifier key: "),
        (("log", "--key-file", "/none"), "/none: No such file"),
        (("--key", VERIFIER.vkey), "name the published log's directory"),
        (("log", "--ledger", "file", "--key", VERIFIER.vkey), "either a directory or --ledger"),
    ],
)
def test_wrong_use_of_the_command(arguments: tuple[str, ...], message: str) -> None:
    """What is missing or too much on the command line is one clear line."""
    with pytest.raises(ConfigError, match=message):
        run(*arguments)


def test_a_verifier_key_of_another(published: Published) -> None:
    """A log verifies under its own key only."""
    directory = publish(published, 3)
    other = Verifier(VERIFIER.name, bytes(31) + b"\x01")
    code, output = run(directory, "--key", other.vkey)
    assert (code, "WRONG: checkpoint: no signature by" in output) == (1, True)
