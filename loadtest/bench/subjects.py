"""What is measured: one key of each algorithm, with the payload that it signs."""

from dataclasses import dataclass

from policy.algorithms import Algorithm


@dataclass(frozen=True, slots=True)
class Subject:
    """A key, and who has what signed with it.

    Attributes:
        name: what the report calls it.
        key: the key's name in the policy and on the token.
        client: whose certificate asks.
        payload: which payload, by its name in ``loadtest.payloads``.
    """

    name: str
    algorithm: Algorithm
    key: str
    client: str
    payload: str


SUBJECTS = (
    Subject("P-256", Algorithm.ECDSA_P256, "orders", "desk", "intent"),
    Subject("secp256k1", Algorithm.ECDSA_SECP256K1, "wd-usdc", "wallet", "transfer"),
    Subject("Ed25519", Algorithm.ED25519, "payments", "payments", "intent"),
    Subject("RSA-2048", Algorithm.RSA_PSS_SHA256, "statements", "payments", "intent"),
)
