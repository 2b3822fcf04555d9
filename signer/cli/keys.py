"""``signgate keys``: make and show the keys on the token."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from policy.algorithms import Algorithm
from signer import config as configuration
from signer.errors import ConfigError
from signer.hsm import keys
from signer.hsm.names import KeyVersion
from signer.hsm.public_key import PublicKey
from signer.hsm.secret import Encoding, decode_secret
from signer.hsm.token import Token, open_token
from signer.pin import FilePin, provider

app = typer.Typer(help="Make and show the keys on the token.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Key name: a-z, 0-9, inner hyphens; 1 to 63.")]
Version = Annotated[int, typer.Option(help="Key version, from 1.")]
Config = Annotated[
    Path | None, typer.Option(help="Configuration file of the service, for its token.")
]
Module = Annotated[Path | None, typer.Option(help="PKCS#11 library, instead of --config.")]
TokenLabel = Annotated[str | None, typer.Option("--token", help="Label of the token.")]
PinFile = Annotated[Path | None, typer.Option(help="File with the PIN, mode 0400.")]


@app.command()
def generate(
    *,
    name: Name,
    algorithm: Annotated[Algorithm, typer.Option(help="What the key signs with.")],
    version: Version = 1,
    bits: Annotated[int | None, typer.Option(help="RSA only: 2048 to 4096.")] = None,
    config: Config = None,
    module: Module = None,
    token: TokenLabel = None,
    pin_file: PinFile = None,
) -> None:
    """Generate a key version on the token; it never leaves it.

    An RSA key can do both paddings; the policy picks one.
    """
    with closing(_token(config, module, token, pin_file)) as opened:
        print(keys.generate(opened, KeyVersion.checked(name, version), algorithm, bits=bits).name)


@app.command("import-secret")
def import_secret(
    *,
    name: Name,
    algorithm: Annotated[Algorithm, typer.Option(help="One of the hmac- algorithms.")],
    encoding: Annotated[Encoding, typer.Option(help="How the secret is written.")],
    file: Annotated[Path | None, typer.Option(help="File with it; standard input if none.")] = None,
    version: Version = 1,
    config: Config = None,
    module: Module = None,
    token: TokenLabel = None,
    pin_file: PinFile = None,
) -> None:
    """Import a shared secret, of 16 bytes or more, as an HMAC key version.

    It is read from a file or standard input and never taken as an argument. One that
    is shorter than the hash is padded with zeros, which gives the same MACs.
    """
    key_version = KeyVersion.checked(name, version)
    secret = decode_secret(_content(file), encoding)
    with closing(_token(config, module, token, pin_file)) as opened:
        print(keys.import_secret(opened, key_version, algorithm, secret).name)


@app.command("list")
def list_keys(
    *,
    config: Config = None,
    module: Module = None,
    token: TokenLabel = None,
    pin_file: PinFile = None,
) -> None:
    """List the key versions on the token and what they can sign with."""
    with closing(_token(config, module, token, pin_file)) as opened:
        for public_key in keys.list_keys(opened):
            print(public_key.name, *sorted(public_key.algorithms))


@app.command()
def public(
    *,
    name: Name,
    version: Version = 1,
    config: Config = None,
    module: Module = None,
    token: TokenLabel = None,
    pin_file: PinFile = None,
) -> None:
    """Print a key version's public key in PEM."""
    key_version = KeyVersion.checked(name, version)
    with closing(_token(config, module, token, pin_file)) as opened:
        print(_pem(keys.list_keys(opened), key_version), end="")


def _pem(public_keys: list[PublicKey], name: KeyVersion) -> str:
    for public_key in public_keys:
        if public_key.name == name:
            if not public_key.encoded:
                raise ConfigError(f"{name} is an HMAC key: it has no public half")
            return public_key.pem()
    raise ConfigError(f"{name} is not on the token")


def _content(file: Path | None) -> bytes:
    if file is None:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None


def _token(
    config: Path | None, module: Path | None, label: str | None, pin_file: Path | None
) -> Token:
    if config is not None:
        hsm = configuration.load(config).hsm
        pins = provider(hsm.pin.file, hsm.pin.env)
        return open_token(hsm.module, hsm.token, pins, serial=hsm.serial)
    if module is None or label is None or pin_file is None:
        raise ConfigError("needs --config, or --module, --token and --pin-file")
    return open_token(module, label, FilePin(pin_file))
