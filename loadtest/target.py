"""The server under test, and how to reach it as one of its callers."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from loadtest import ending
from loadtest.errors import LoadtestError
from loadtest.profile import SIGNED, Profile
from signer.v1 import resources_pb2
from signer.v1 import signing_service_pb2 as pb
from signer.v1 import signing_service_pb2_grpc as rpc

CONNECT_SECONDS = 10
OPTIONS = (
    # Channels with equal arguments share a connection unless they are told not to.
    ("grpc.use_local_subchannel_pool", 1),
    # As the README advises: no ping with each call over a connection that is seldom used.
    ("grpc.http2.bdp_probe", 0),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A signing port, and a directory with ca.crt and each client's NAME.crt and NAME.key.

    ``pids`` are the server's processes on this host, for its CPU time; their
    children are counted as well. ``metrics`` is the address of its ``[metrics]``, empty
    where there is none.
    """

    address: str
    certificates: Path
    pids: tuple[int, ...] = ()
    metrics: str = ""

    def connect(self, client: str, seconds: float = CONNECT_SECONDS) -> grpc.Channel:
        """Open a connection of its own as ``client`` and wait until TLS stands.

        Raises:
            LoadtestError: a file is missing, or nobody answers in time.
        """
        channel = grpc.secure_channel(self.address, self.credentials(client), OPTIONS)
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError:
            channel.close()
            raise LoadtestError(
                f"{self.address}: no TLS connection as {client} within {seconds:g} s"
            ) from None
        return channel

    def credentials(self, client: str) -> grpc.ChannelCredentials:
        """Return the credentials of ``client``.

        Raises:
            LoadtestError: a file is missing.
        """
        try:
            return grpc.ssl_channel_credentials(
                (self.certificates / "ca.crt").read_bytes(),
                (self.certificates / f"{client}.key").read_bytes(),
                (self.certificates / f"{client}.crt").read_bytes(),
            )
        except OSError as error:
            raise LoadtestError(f"{error.filename}: {error.strerror}") from None

    def public_keys(self, profile: Profile) -> dict[str, resources_pb2.PublicKey]:
        """Fetch the public key of each key that must sign in the profile.

        Raises:
            LoadtestError: the server does not give one out.
        """
        clients = {call.key: call.client for call in profile.calls if call.expect == SIGNED}
        return {key: self.public_key(key, client) for key, client in clients.items()}

    def public_key(self, key: str, client: str) -> resources_pb2.PublicKey:
        """Fetch a public key.

        Raises:
            LoadtestError: the server does not give it out.
        """
        request = pb.GetPublicKeyRequest(name=f"keys/{key}")
        # A channel of grpcio that is interrupted may never close.
        with ending.later(), self.connect(client) as channel:
            try:
                return rpc.SigningServiceStub(channel).GetPublicKey(request, timeout=10)
            except grpc.RpcError as error:
                raise LoadtestError(f"public key of {key} as {client}: {error.details()}") from None
