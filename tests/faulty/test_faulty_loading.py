"""How programs load the module: with a library, without a control file, with a wrong one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from signer.hsm.errors import Ckr
from tests.faulty import building, layout
from tests.faulty.client import Client
from tests.faulty.signers import KEY
from tests.support.faulty import Faulty
from tests.support.softhsm import SoftHsm

PROGRAM = Path(__file__).parent / "with_python_pkcs11.py"


def _loop(
    faulty: Faulty, store: SoftHsm, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    arguments = (faulty.module, store.token, store.pin_file, KEY, "1", "0.1")
    return subprocess.run(
        [building.loop(), *arguments],
        env=variables | store.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_python_pkcs11(client: Client, faulty: Faulty, faulty_store: SoftHsm) -> None:
    """python-pkcs11 sees the slots and the keys, and raises the fault that was asked for."""
    faulty.fault("C_Sign", Ckr.DEVICE_ERROR, every=2)
    done = subprocess.run(
        [sys.executable, PROGRAM, faulty.module, faulty_store.token, faulty_store.pin, KEY, "4"],
        env=os.environ | faulty.variables | faulty_store.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    expected = "faulty-0 faulty-1 64 DeviceError 64 DeviceError"
    assert (done.returncode, done.stdout) == (0, expected), done.stderr


def test_no_control_file(process: Client, switchboard: Faulty, faulty_store: SoftHsm) -> None:
    """Without a control file the module forwards to SoftHSM."""
    done = _loop(switchboard, faulty_store, {})
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0


@pytest.mark.parametrize(
    ("field", "value"), [("version", layout.VERSION + 1), ("size", 8), ("slot_count", 9)]
)
def test_other_control_file(
    switchboard: Faulty, faulty_store: SoftHsm, tmp_path: Path, field: str, value: int
) -> None:
    """A control file of another layout is refused, and the message says which."""
    control = layout.Control(version=layout.VERSION, size=layout.CONTROL_SIZE, slot_count=1)
    setattr(control, field, value)
    path = tmp_path / "control"
    path.write_bytes(bytes(control))
    done = _loop(switchboard, faulty_store, {"FAULTY_CONTROL": str(path)})
    assert done.returncode == 1
    assert f"{path}: not a control file of this version" in done.stderr


def test_short_control_file(switchboard: Faulty, faulty_store: SoftHsm, tmp_path: Path) -> None:
    """A control file of another length is refused before it is mapped."""
    path = tmp_path / "control"
    path.touch()
    done = _loop(switchboard, faulty_store, {"FAULTY_CONTROL": str(path)})
    assert (done.returncode, "not a control file" in done.stderr) == (1, True)


def test_arguments(tmp_path: Path) -> None:
    """The controller refuses what the module cannot do."""
    with pytest.raises(ValueError, match="9 slots, needs 1 to 8"):
        Faulty(tmp_path, slots=9)
    with Faulty(tmp_path) as faulty:
        with pytest.raises(ValueError, match="65 engines, at most 64"):
            faulty.latency(engines=65)
        with pytest.raises(ValueError, match="C_Sing"):
            faulty.fault("C_Sing", Ckr.DEVICE_ERROR)
