"""A PIN is read when it is needed, from a place that only its owner can read."""

from pathlib import Path

import pytest

from signer.errors import ConfigError
from signer.pin import EnvPin, FilePin, provider

PIN = b"648219"


def _file(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    path = directory / "pin"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "wanted"),
    [(PIN, PIN), (PIN + b"\n", PIN), (PIN + b"\n\n", PIN + b"\n"), (b" 1 ", b" 1 ")],
)
def test_file(tmp_path: Path, content: bytes, wanted: bytes) -> None:
    """One line end is dropped and nothing else."""
    assert FilePin(_file(tmp_path, content)).pin() == wanted


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610, 0o601, 0o644])
def test_others_may_not_read(tmp_path: Path, mode: int) -> None:
    """A file that the group or the world may use in any way is refused."""
    with pytest.raises(ConfigError, match=f"mode is {mode:04o}") as error:
        FilePin(_file(tmp_path, PIN, mode)).pin()
    assert PIN.decode() not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    """No PIN is not an empty PIN."""
    with pytest.raises(ConfigError, match="holds no PIN"):
        FilePin(_file(tmp_path, content)).pin()


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(ConfigError, match="pin: No such file"):
        FilePin(tmp_path / "pin").pin()


def test_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable gives its value, and is named when it has none."""
    monkeypatch.setenv("SIGNGATE_TEST_PIN", PIN.decode())
    assert EnvPin("SIGNGATE_TEST_PIN").pin() == PIN
    for name in ("SIGNGATE_TEST_NOT_SET", "SIGNGATE_TEST_PIN"):
        monkeypatch.setenv("SIGNGATE_TEST_PIN", "")
        with pytest.raises(ConfigError, match=f"{name} holds no PIN"):
            EnvPin(name).pin()


def test_representations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that has been asked does not show the PIN."""
    monkeypatch.setenv("SIGNGATE_TEST_PIN", PIN.decode())
    for one in (FilePin(_file(tmp_path, PIN)), EnvPin("SIGNGATE_TEST_PIN")):
        one.pin()
        assert PIN.decode() not in repr(one)


def test_provider() -> None:
    """A configuration names exactly one provider."""
    assert provider(file=Path("pin")) == FilePin(Path("pin"))
    assert provider(env="PIN") == EnvPin("PIN")
    for file, env in ((None, None), (Path("pin"), "PIN")):
        with pytest.raises(ConfigError, match="exactly one"):
            provider(file, env)
