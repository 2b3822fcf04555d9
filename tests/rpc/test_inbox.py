"""The bounded inbox of a stream."""

import threading
from collections.abc import Iterator

from signer.rpc.inbox import Inbox


def test_all_that_came_is_handed_out_in_order() -> None:
    """Nothing is lost and nothing is doubled, however it is batched."""
    inbox: Inbox[int] = Inbox(3)
    reader = threading.Thread(target=inbox.fill, args=(range(1000),))
    reader.start()
    assert [item for batch in inbox.batches() for item in batch] == list(range(1000))
    reader.join(5)


def test_a_full_inbox_stops_reading() -> None:
    """No more than its capacity is taken from a sender that nobody serves."""
    taken = []

    def source() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    inbox: Inbox[int] = Inbox(4)
    reader = threading.Thread(target=inbox.fill, args=(source(),))
    reader.start()
    reader.join(0.2)
    assert len(taken) == 5
    inbox.close()
    reader.join(5)
    assert not reader.is_alive()


def test_what_was_taken_in_before_the_close_comes_out() -> None:
    """A close loses nothing that was accepted."""
    inbox: Inbox[int] = Inbox(4)
    inbox.fill([1, 2, 3])
    assert list(inbox.batches()) == [[1, 2, 3]]
