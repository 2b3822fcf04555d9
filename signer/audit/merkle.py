"""The Merkle tree of RFC 6962 over SHA-256: appending, roots, and proofs.

Hashes are 32 bytes. Nothing here does I/O. Section numbers without a document
are those of RFC 9162, whose tree is the same and whose algorithms are spelled out.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()  # section 2.1.1, the hash of an empty list


class ProofError(ValueError):
    """A proof does not show what it claims to show."""


def leaf_hash(body: bytes) -> bytes:
    """Hash an entry, section 2.1.1: the prefix keeps leaves and nodes apart."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent, section 2.1.1."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """An append-only tree that keeps only its peaks.

    The peaks are the roots of the perfect subtrees that the leaves fall into
    from left to right, one for each bit set in ``size``: all that is needed to
    append and to compute the root.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Continue a tree from its peaks, largest first.

        Raises:
            ValueError: a tree of this size has another number of peaks.
        """
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks")

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        peaks, pairs = self.peaks, self.size
        while pairs & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            pairs >>= 1
        peaks.append(leaf)
        self.size += 1

    def extend(self, bodies: Iterable[bytes]) -> None:
        """Add the next entries."""
        for body in bodies:
            self.append(leaf_hash(body))

    def root(self) -> bytes:
        """Return the root hash, section 2.1.1."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            root = node_hash(peak, root)
        return root

    def copy(self) -> "Tree":
        """Return a tree that grows on its own."""
        return Tree(self.size, self.peaks)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes, section 2.1.1, level by level."""
    nodes = list(leaves)
    while len(nodes) > 1:
        pairs = [sha256(b"\x01" + left + right).digest() for left, right in _paired(nodes)]
        nodes = [*pairs, nodes[-1]] if len(nodes) % 2 else pairs
    return nodes[0] if nodes else EMPTY_ROOT


def _paired(nodes: list[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(nodes[::2], nodes[1::2], strict=False)  # the last one may have no other


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` is entry ``index`` of the tree, section 2.1.3.2.

    Raises:
        ProofError: it is not shown to be.
    """
    if not 0 <= index < size:
        raise ProofError(f"entry {index} is outside a tree of {size}")
    node, last = index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if node & 1 or node == last:
            leaf = node_hash(sibling, leaf)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        node, last = node >> 1, last >> 1
    if last or leaf != root:
        raise ProofError(f"entry {index} is not in the tree of {size}")


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the larger tree only appends to the smaller one, section 2.1.4.2.

    Raises:
        ProofError: it is not shown to.
    """
    if not 0 < first <= second:
        raise ProofError(f"a tree of {second} cannot append to one of {first}")
    if first == second:
        if proof or first_root != second_root:
            raise ProofError("two trees of one size differ")
        return
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        raise ProofError("the consistency proof is empty")
    if _climb(first - 1, second - 1, path) != (first_root, second_root):
        raise ProofError(f"the tree of {second} does not append to the one of {first}")


def _climb(node: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    return old, new
