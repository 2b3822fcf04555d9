"""Two things that python-pkcs11's objects have but do not show."""

from contextlib import suppress
from typing import Any, cast

import pkcs11
from pkcs11.exceptions import PKCS11Error


def handle(thing: pkcs11.Session | pkcs11.Object) -> int:
    """Return the PKCS#11 handle, which the library has but does not declare."""
    return cast("int", cast("Any", thing).handle)


def close(session: pkcs11.Session) -> None:
    """Close a session; one that cannot be closed is gone already."""
    with suppress(PKCS11Error):
        session.close()
