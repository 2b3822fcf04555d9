"""``signgate audit key``: what verifies the published log."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from signer import config as configuration
from signer.audit.note import Verifier
from signer.errors import ConfigError
from signer.hsm import keys, open_token
from signer.hsm.names import KeyVersion
from signer.pin import provider


def key(config: Annotated[Path, typer.Option(help="Configuration file.")]) -> None:
    """Print the log's verifier key (C2SP signed-note), read from the token."""
    loaded = configuration.load(config)
    hsm, audit = loaded.hsm, loaded.audit
    name = KeyVersion.checked(audit.key, audit.version)
    with closing(open_token(hsm.module, hsm.token, provider(hsm.pin.file, hsm.pin.env))) as token:
        for public_key in keys.list_keys(token):
            if public_key.name == name:
                typer.echo(Verifier(audit.origin, public_key.encoded).vkey)
                return
    raise ConfigError(f"{name} is not on token {hsm.token!r}")
