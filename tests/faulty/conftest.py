"""A store of its own, a client process, and a session that can sign."""

from collections.abc import Iterator

import pytest

from signer.hsm.errors import Ckr
from tests.faulty.client import Client, Clients
from tests.faulty.signers import KEY, OTHER_KEY, Signer
from tests.support.faulty import Faulty
from tests.support.softhsm import SoftHsm, make_softhsm


@pytest.fixture(scope="session")
def faulty_store(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    """A token with two P-256 keys, from the moment that a client exists."""
    return make_softhsm(tmp_path_factory.mktemp("faulty-store"), "faulty-test")


@pytest.fixture(scope="session")
def switchboard(
    tmp_path_factory: pytest.TempPathFactory, faulty_store: SoftHsm
) -> Iterator[Faulty]:
    """The one control file; a process that loaded the module cannot change to another."""
    directory = tmp_path_factory.mktemp("faulty")
    with Faulty(directory, token=faulty_store.token, slots=2) as made:
        yield made


@pytest.fixture(scope="session")
def process(switchboard: Faulty, faulty_store: SoftHsm) -> Iterator[Client]:
    """A process with the module loaded, not initialised."""
    variables = switchboard.variables | faulty_store.environment
    with Clients.started() as clients:
        client = clients.client(switchboard.module, variables, faulty_store.pin)
        client.initialize()
        _, session = client.open(rw=True)
        client.login(session)
        for label in (KEY, OTHER_KEY):
            assert client.generate(session, label)[0] == Ckr.OK
        client.finalize()
        yield client


@pytest.fixture
def client(process: Client, switchboard: Faulty) -> Iterator[Client]:
    """The client, initialised, nothing open."""
    switchboard.reset()
    assert process.initialize() == Ckr.OK
    yield process
    switchboard.reset()
    assert process.finalize() == Ckr.OK


@pytest.fixture
def signer(client: Client) -> Signer:
    """A signer on slot 0."""
    return Signer.on(client)


@pytest.fixture
def faulty(client: Client, switchboard: Faulty) -> Faulty:
    """The switchboard, with nothing on."""
    return switchboard
