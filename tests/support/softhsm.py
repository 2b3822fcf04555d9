"""Throw-away SoftHSM tokens: real PKCS#11, no hardware, nothing shared between runs."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from signer.hsm.token import Token, open_token
from signer.pin import FilePin

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "648219"
SO_PIN = "91827364"


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """An initialised token.

    ``conf`` must be in SOFTHSM2_CONF before a process loads the module.
    """

    module: Path
    token: str
    pin: str
    pin_file: Path
    conf: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment."""
        return {"SOFTHSM2_CONF": str(self.conf)}

    def open(self, label: str | None = None) -> Token:
        """Log in, to another token of the store if a label is given.

        SOFTHSM2_CONF of this process must be this one's.
        """
        return open_token(self.module, label or self.token, FilePin(self.pin_file))


def make_softhsm(directory: Path, *labels: str) -> SoftHsm:
    """Make a store with one token for each label, all with the same PIN; returns the first."""
    labels = labels or ("signgate-test",)
    tokens = directory / "tokens"
    tokens.mkdir(parents=True)
    conf = directory / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
    pin_file = directory / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(f"{PIN}\n")
    softhsm = SoftHsm(MODULE, labels[0], PIN, pin_file, conf)
    for label in labels:
        _init_token(softhsm, label)
    return softhsm


def _init_token(softhsm: SoftHsm, label: str) -> None:
    options = ("--label", label, "--pin", PIN, "--so-pin", SO_PIN)
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", *options],
        env=os.environ | softhsm.environment,
        check=True,
        capture_output=True,
    )
