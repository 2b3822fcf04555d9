"""What is measured: one key of each algorithm, and one whose payload is another one.

All algorithms sign the same intents, so that they can be compared. A transfer of USDC is what
most keys on secp256k1 sign: two assets are charged, and a transaction is made of the answer.
"""

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
    Subject("secp256k1", Algorithm.ECDSA_SECP256K1, "invoices", "payments", "intent"),
    Subject("Ed25519", Algorithm.ED25519, "payments", "payments", "intent"),
    Subject("RSA-2048", Algorithm.RSA_PSS_SHA256, "statements", "payments", "intent"),
    Subject("Ethereum", Algorithm.ECDSA_SECP256K1, "wd-usdc", "wallet", "transfer"),
)
P256, SECP256K1, ED25519, RSA, ETHEREUM = SUBJECTS
