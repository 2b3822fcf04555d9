"""``ethereum.typed-data``: EIP-712 documents of pinned kinds (``docs/ethereum.typed-data.md``).

The payload is the document of ``eth_signTypedData_v4`` in canonical JSON (RFC 8785); the
hash is computed here and never taken. A kind is known by its primary type, and its types
and its domain must be exactly the pinned ones.

Invariant: any bytes give facts or ``PayloadError``, nothing else, and every member of the
payload goes into the message that is signed.
"""

from policy.algorithms import Algorithm, Digest
from policy.model import Decoded, Format
from policy.payloads import canonical_json
from policy.payloads.ethereum import eip712, orders, permits, safe
from policy.reasons import Code, PayloadError

TAG = "ethereum.typed-data"
MAX_BYTES = 16 * 1024
# A signature that anybody may use is good for no longer, unless a grant says so.
LIFETIME_MS = 3_600_000
MEMBERS = frozenset({"domain", "message", "primaryType", "types"})
SCHEMAS = {
    schema.primary.name: schema for schema in (*permits.SCHEMAS, *safe.SCHEMAS, *orders.SCHEMAS)
}


def decode(payload: bytes) -> Decoded:
    """Read a document.

    Raises:
        PayloadError: it is of no pinned kind, or not in the one form that is taken.
    """
    if len(payload) > MAX_BYTES:
        detail = f"{len(payload)} bytes; at most {MAX_BYTES} are taken"
        raise PayloadError(Code.PAYLOAD_TOO_LARGE, "$", detail)
    document = canonical_json.decode(payload)
    if document.keys() != MEMBERS:
        wrong = min(document.keys() ^ MEMBERS)
        problem = "is missing" if wrong in MEMBERS else "is not a member of typed data"
        raise eip712.malformed("$", f"{wrong[:64]!a} {problem}")
    name = document["primaryType"]
    schema = SCHEMAS.get(name) if isinstance(name, str) else None
    if schema is None:
        detail = f"is none of {', '.join(SCHEMAS)}"
        raise PayloadError(Code.PAYLOAD_UNSUPPORTED, "$.primaryType", detail)
    domain, separator = schema.domain(document["types"], document["domain"])
    message, struct_hash = schema.primary.read(document["message"], "$.message")
    facts = schema.facts(domain, message)
    return Decoded(facts, eip712.message(separator, struct_hash), Digest.KECCAK256)


FORMAT = Format(
    tag=TAG,
    decode=decode,
    actions=frozenset[str]().union(*(schema.actions for schema in SCHEMAS.values())),
    algorithms=frozenset({Algorithm.ECDSA_SECP256K1}),
    on_chain=True,
    calls=True,
    lifetime_ms=LIFETIME_MS,
)
