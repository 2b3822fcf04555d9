"""What signatures that were made tell: their keys and slots how fast they are, and who counts."""

import time
from collections.abc import Iterable

from signer.hsm.job import Item, Way
from signer.hsm.limits import Observer
from signer.hsm.slot import Slot


def report(items: Iterable[Item], queued: float, observer: Observer) -> None:
    """Report those that are right, all of one key and slot together.

    ``queued`` is when they were wanted, in seconds of ``time.monotonic``.
    """
    total = time.monotonic() - queued
    together: dict[tuple[Way, Slot], list[Item]] = {}
    for item in items:
        if item.is_right and item.seat is not None:
            together.setdefault((item.way, item.seat.slot), []).append(item)
    for (way, slot), signed in together.items():
        served = [item.ended - item.began for item in signed]
        way.pace.note(*served)
        slot.signed(way.name, served)
        waited = [item.began - queued for item in signed]
        observer.signed(way.name.key, slot.name, queued=waited, served=served, total=total)
