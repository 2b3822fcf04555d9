"""Logins with an Ethereum account (EIP-4361), which are texts of one form.

Whoever reads such a text opens a session at its domain. So the domain is the venue, for
a grant to list, and what only looks like a login is refused.
"""

import re
from datetime import datetime

from policy import fields
from policy.model import Facts
from policy.reasons import Code, PayloadError

ACTION = "ethereum.sign-in"
PHRASE = "wants you to sign in with your Ethereum account"
_TIME = r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z"
# EIP-4361, "ABNF Message Format", without scheme, resources and other zones than UTC.
_LOGIN = re.compile(
    rf"(?P<domain>[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{{1,5}})?) {PHRASE}:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n\n(?:[^\n]+\n)?\n"
    r"URI: https://(?P<host>[^/?#\n]+)[!-~]*\nVersion: 1\nChain ID: [1-9][0-9]{0,18}\n"
    rf"Nonce: (?P<nonce>[A-Za-z0-9]{{8,64}})\nIssued At: (?P<issued>{_TIME})"
    rf"(?:\nExpiration Time: (?P<expires>{_TIME}))?(?:\nNot Before: {_TIME})?"
    r"(?:\nRequest ID: [!-~]*)?",
    re.ASCII,
)


def read(text: str) -> Facts | None:
    """Return what a login says; None for a text that is none.

    Raises:
        PayloadError: it speaks of a login, but has another form, or is for two places.
    """
    if PHRASE not in text:
        return None
    found = _LOGIN.fullmatch(text)
    if found is None or text.count(PHRASE) != 1:
        raise _unsupported("is not a login of EIP-4361 without resources, in UTC")
    if found["host"] != found["domain"]:
        raise _unsupported("its URI is not of its domain")
    try:
        fields.ethereum(found["address"])
        issued, expires = _milliseconds(found["issued"]), found["expires"]
        expires_ms = None if expires is None else _milliseconds(expires)
    except ValueError as error:
        raise PayloadError(Code.PAYLOAD_MALFORMED, "message", str(error)) from None
    return Facts(
        ACTION,
        (),
        expires_at=None if expires_ms is None else expires_ms // 1000,
        nonce=found["nonce"],
        venue=found["domain"],
        timestamp=issued,
        session=True,
        text=text,
    )


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _unsupported(detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_UNSUPPORTED, "message", detail)
