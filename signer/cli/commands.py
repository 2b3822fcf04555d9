"""The command tree."""

import os
from pathlib import Path
from typing import Annotated

import typer

from signer.cli import approvals, audit, keys, log_key, payloads, policy, stops, tail

app = typer.Typer(
    name="signgate",
    help="Sign what a policy allows, with keys that never leave the HSM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(payloads.app, name="payloads")
app.add_typer(approvals.app, name="approvals")
app.add_typer(audit.app, name="audit")
for command in stops.COMMANDS:
    app.command()(command)
audit.app.command("tail")(tail.tail)
audit.app.command("key")(log_key.key)

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.")]
DEFAULT_CONFIG = Path("/etc/signgate/signgate.toml")


@app.command()
def serve(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="Signing processes, a core each; without it one does everything."
        ),
    ] = None,
) -> None:
    """Run the signing service until SIGTERM, then drain and stop.

    With workers the control port has a process of its own, and SIGHUP replaces one
    process after the other.
    """
    # Loads the transport and the HSM library, which no other command needs.
    from signer import app as service  # noqa: PLC0415 - loaded when needed
    from signer import supervisor  # noqa: PLC0415 - loaded when needed

    if workers is None:
        service.run(config)
    else:
        supervisor.run(config, workers)


@app.command(hidden=True)
def process(
    *,
    config: ConfigOption,
    role: Annotated[str, typer.Option(help="The port: control or signing.")],
    name: Annotated[str, typer.Option(help="What metrics call it.")],
    directory: Annotated[Path, typer.Option(help="Where processes hand over metrics.")],
    ready_descriptor: Annotated[int, typer.Option(help="Told when calls are taken.")],
) -> None:
    """Run one process of several, for the supervisor."""
    from signer import app as service  # noqa: PLC0415 - as above
    from signer.metrics.exchange import Place  # noqa: PLC0415 - loaded when needed
    from signer.supervisor import READY, end_with_parent  # noqa: PLC0415 - loaded when needed

    end_with_parent()

    def ready() -> None:
        os.write(ready_descriptor, READY)
        os.close(ready_descriptor)

    place = Place(name, directory)
    service.run(config, {role}, shared=role == "signing", place=place, ready=ready)
