"""The command tree."""

from pathlib import Path
from typing import Annotated

import typer

from signer.cli import audit, keys, log_key, policy, tail

app = typer.Typer(
    name="signgate",
    help="Sign what a policy allows, with keys that never leave the HSM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(audit.app, name="audit")
audit.app.command("tail")(tail.tail)
audit.app.command("key")(log_key.key)

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.")]


@app.command()
def serve(config: ConfigOption = Path("/etc/signgate/signgate.toml")) -> None:
    """Run the signing service until SIGTERM, then drain and stop."""
    from signer import app as service  # noqa: PLC0415 - loads grpc and the HSM library

    service.run(config)
