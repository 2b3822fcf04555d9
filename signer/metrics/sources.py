"""The gauges: read from the parts themselves at the moment they are asked for."""

from collections.abc import Iterator
from functools import partial

from prometheus_client.process_collector import ProcessCollector

from signer.audit.publisher import Publisher
from signer.hsm import Pool
from signer.hsm.health import SlotState
from signer.ledger import Ledger
from signer.metrics import families
from signer.metrics.meter import Source
from signer.metrics.samples import Number, Sample, number, one_of


def of_pool(pool: Pool) -> Source:
    """Return the source of the pool's gauges."""
    return partial(_pool, pool)


def _pool(pool: Pool) -> Iterator[Sample]:
    for priority, waiting in pool.waiting().items():
        yield number(families.WAITING, waiting, priority)
    for slot in pool.status():
        yield number(families.GENERATION, slot.generation, slot.label)
        yield from one_of(families.BREAKER, SlotState, slot.state, slot.label)
        for state, sessions in slot.sessions.items():
            yield number(families.SESSIONS, sessions, slot.label, state)
    yield number(families.RESTART_NEEDED, pool.must_restart)


def of_ledger(ledger: Ledger) -> Source:
    """Return the source of the ledger's gauges."""
    return lambda: [number(families.LEDGER_STOPPED, ledger.failed)]


def of_log(ledger: Ledger, publisher: Publisher) -> Source:
    """Return the source of the audit log's gauges; for the process that publishes it."""
    return partial(_log, ledger, publisher)


def _log(ledger: Ledger, publisher: Publisher) -> Iterator[Sample]:
    newest = publisher.newest()
    yield number(families.PUBLISHED, newest[0] if newest else 0)
    yield number(families.PUBLISHED_AT, publisher.published_at)
    yield number(families.PUBLISHING_STOPPED, publisher.failure is not None)
    yield number(families.LEAVES, ledger.size())


def of_process() -> Source:
    """Return the source of what the system knows about this process."""
    collector = ProcessCollector(registry=None)

    def read() -> Iterator[Sample]:
        for metric in collector.collect():
            for sample in metric.samples:
                yield Number(sample.name, (), float(sample.value))

    return read
