"""Compiled policies, kept by their text's hash, so that none is compiled in a transaction.

A large document takes seconds: meanwhile nobody else may hold the ledger's lock.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from policy.problems import PolicyError
from policy.rules import Policy

LoadPolicy = Callable[[str], Policy]
_KEPT = 4  # the one in force, the next, and those that reviewers look at


class UncompiledError(Exception):
    """The policy is to be compiled outside the transaction that needs it."""

    def __init__(self, document: str) -> None:
        super().__init__("the policy is not compiled yet")
        self.document = document


class Compiler:
    """Compiles each document once, as long as it is in use. Safe to share among threads."""

    def __init__(self, load: LoadPolicy) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Policy] = OrderedDict()

    def compile(self, document: str) -> Policy:
        """Return the policy of a document.

        Raises:
            PolicyError: the document is not valid.
        """
        digest = sha256(document.encode("utf-8", "surrogatepass")).hexdigest()
        policy = self.find(digest)
        if policy is None:
            policy = self._load(document)
            with self._lock:
                self._kept[digest] = policy
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return policy

    def ahead(self, document: str) -> None:
        """Compile a document beside the work that goes on, so that it is there when needed."""
        threading.Thread(target=self._quietly, args=(document,), daemon=True).start()

    def _quietly(self, document: str) -> None:
        with suppress(PolicyError):  # whoever needs it is told
            self.compile(document)

    def find(self, digest: str) -> Policy | None:
        """Return the policy of a document with this SHA-256, if it was compiled of late."""
        with self._lock:
            policy = self._kept.get(digest)
            if policy is not None:
                self._kept.move_to_end(digest)
            return policy
