"""The tree against RFC 6962's definitions, written out recursively."""

from collections.abc import Sequence
from hashlib import sha256

import pytest

from signer.audit.merkle import (
    EMPTY_ROOT,
    ProofError,
    Tree,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The eight entries and roots that certificate transparency's own test suites share.
ENTRIES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(index.to_bytes(2)) for index in range(40)]


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1: the Merkle tree hash."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256().digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(mth(leaves[:split]), mth(leaves[split:]))


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1: the audit path."""
    if len(leaves) <= 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(index, leaves[:split]), mth(leaves[split:])]
    return [*path(index - split, leaves[split:]), mth(leaves[:split])]


def subproof(first: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2: the consistency proof."""
    if first == len(leaves):
        return [] if whole else [mth(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if first <= split:
        return [*subproof(first, leaves[:split], whole=whole), mth(leaves[split:])]
    return [*subproof(first - split, leaves[split:], whole=False), mth(leaves[:split])]


def test_known_roots() -> None:
    """The roots over the shared entries are the published ones."""
    hashes = [leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES]
    assert [root_of(hashes[: size + 1]).hex() for size in range(8)] == ROOTS
    assert root_of([]) == EMPTY_ROOT


def test_appending_equals_the_definition() -> None:
    """A tree continued from its peaks at any size has the root that the RFC defines."""
    tree = Tree()
    for size, leaf in enumerate(LEAVES):
        assert tree.root() == mth(LEAVES[:size])
        tree = Tree(tree.size, tree.peaks)
        tree.append(leaf)


def test_peaks_must_fit_the_size() -> None:
    """A damaged state is noticed: the number of peaks follows from the size."""
    with pytest.raises(ValueError, match="a tree of 3 leaves has 2 peaks"):
        Tree(3, [LEAVES[0]])


def test_a_copy_grows_alone() -> None:
    """Appending to a copy leaves the original as it was."""
    tree = Tree()
    tree.copy().append(LEAVES[0])
    assert (tree.size, tree.root()) == (0, EMPTY_ROOT)


def test_every_inclusion_proof() -> None:
    """Each entry's audit path verifies, and fails for every other index."""
    for size in range(1, 20):
        root = mth(LEAVES[:size])
        for index in range(size):
            proof = path(index, LEAVES[:size])
            verify_inclusion(index, size, LEAVES[index], proof, root)
            for other in set(range(-1, size + 1)) - {index}:
                with pytest.raises(ProofError):
                    verify_inclusion(other, size, LEAVES[index], proof, root)


def test_damaged_inclusion_proofs() -> None:
    """A proof that is longer, shorter, or for another root is refused."""
    for size in range(2, 20):
        root = mth(LEAVES[:size])
        for index in range(size):
            proof = path(index, LEAVES[:size])
            for bad in ([*proof, root], proof[:-1], proof[1:]):
                with pytest.raises(ProofError):
                    verify_inclusion(index, size, LEAVES[index], bad, root)
            with pytest.raises(ProofError):
                verify_inclusion(index, size, LEAVES[index], proof, EMPTY_ROOT)


def test_every_consistency_proof() -> None:
    """Each pair of sizes has a proof that verifies, and fails when anything is changed."""
    for second in range(1, 20):
        new = mth(LEAVES[:second])
        for first in range(1, second + 1):
            old = mth(LEAVES[:first])
            proof = subproof(first, LEAVES[:second])
            verify_consistency(first, second, old, new, proof)
            bad = [[*proof, old]] + ([proof[:-1], proof[1:]] if proof else [])
            for damaged in bad:
                with pytest.raises(ProofError):
                    verify_consistency(first, second, old, new, damaged)
            with pytest.raises(ProofError):
                verify_consistency(first, second, EMPTY_ROOT, new, proof)
            with pytest.raises(ProofError):
                verify_consistency(first, second, old, EMPTY_ROOT, proof)


def test_an_empty_consistency_proof() -> None:
    """Nothing is shown by no hashes at all."""
    with pytest.raises(ProofError, match="empty"):
        verify_consistency(3, 5, mth(LEAVES[:3]), mth(LEAVES[:5]), [])


@pytest.mark.parametrize(("first", "second"), [(0, 1), (2, 1), (-1, 1)])
def test_impossible_sizes(first: int, second: int) -> None:
    """A tree cannot append to an empty or a larger one."""
    with pytest.raises(ProofError, match="cannot append"):
        verify_consistency(first, second, LEAVES[0], LEAVES[0], [])
