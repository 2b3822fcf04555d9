"""Rights to move tokens that a signature gives: permits and authorisations.

Whoever holds the signature may use it until it expires, so that an allowance counts as
spent. An owner stands in the facts as ``source``, the key's own account too: another
account may take this key's signatures for its own (ERC-1271).
"""

from collections.abc import Callable

from policy.model import Facts, Role, Transfer
from policy.payloads.ethereum.eip712 import Struct, domain_type
from policy.payloads.ethereum.pinned import Domain, Meaning, Schema, Values, token

PERMIT = "erc20.permit"
TRANSFER, RECEIVE = "erc20.transferWithAuthorization", "erc20.receiveWithAuthorization"

# A token's name and version are not pinned: its address is, by the policy's assets, and a
# token takes no other domain than its own.
_TOKEN = domain_type("string name,string version,uint256 chainId,address verifyingContract")
_UNVERSIONED = domain_type("string name,uint256 chainId,address verifyingContract")
_PERMIT2 = {"name": "Permit2", "verifyingContract": "0x000000000022D473030F116dDEE9F6B43aC78BA3"}


def _allowance(domain: Domain, contract: str, amount: int, spender: str) -> Transfer:
    return Transfer(token(domain.chain_id, contract), amount, spender, Role.ALLOWANCE)


def _permit(domain: Domain, message: Values) -> Facts:
    """ERC-2612."""
    return Facts(
        PERMIT,
        (_allowance(domain, domain.contract, message["value"], message["spender"]),),
        chain_id=domain.chain_id,
        source=message["owner"],
        expires_at=message["deadline"],
        nonce=str(message["nonce"]),
    )


def _authorization(action: str) -> Meaning:
    """ERC-3009."""

    def facts(domain: Domain, message: Values) -> Facts:
        asset = token(domain.chain_id, domain.contract)
        return Facts(
            action,
            (Transfer(asset, message["value"], message["to"]),),
            chain_id=domain.chain_id,
            source=message["from"],
            expires_at=message["validBefore"],
            nonce=message["nonce"].hex(),
        )

    return facts


def _allowance_transfer(action: str) -> Meaning:
    """Permit2, AllowanceTransfer: an allowance outlives the deadline of its signature."""

    def facts(domain: Domain, message: Values) -> Facts:
        details = message["details"]
        listed = details if isinstance(details, list) else [details]
        return Facts(
            action,
            tuple(
                _allowance(domain, item["token"], item["amount"], message["spender"])
                for item in listed
            ),
            chain_id=domain.chain_id,
            expires_at=max(message["sigDeadline"], *(item["expiration"] for item in listed)),
            nonce=" ".join(str(item["nonce"]) for item in listed),
        )

    return facts


def _signature_transfer(action: str) -> Meaning:
    """Permit2, SignatureTransfer: the spender takes it once, to wherever it wants."""

    def facts(domain: Domain, message: Values) -> Facts:
        permitted = message["permitted"]
        listed = permitted if isinstance(permitted, list) else [permitted]
        return Facts(
            action,
            tuple(
                _allowance(domain, item["token"], item["amount"], message["spender"])
                for item in listed
            ),
            chain_id=domain.chain_id,
            expires_at=message["deadline"],
            nonce=str(message["nonce"]),
        )

    return facts


_AUTHORIZATION = (
    "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
)
_DETAILS = Struct("PermitDetails", "address token,uint160 amount,uint48 expiration,uint48 nonce")
_PERMITTED = Struct("TokenPermissions", "address token,uint256 amount")
_SPENT = "address spender,uint256 nonce,uint256 deadline"


def _token_schema(struct: Struct, action: str, facts: Meaning) -> Schema:
    return Schema(struct, (_TOKEN, _UNVERSIONED), facts, frozenset({action}))


def _permit2_schema(struct: Struct, meaning: Callable[[str], Meaning], action: str) -> Schema:
    return Schema(struct, (_UNVERSIONED,), meaning(action), frozenset({action}), _PERMIT2)


SCHEMAS = (
    _token_schema(
        Struct(
            "Permit", "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
        ),
        PERMIT,
        _permit,
    ),
    _token_schema(
        Struct("TransferWithAuthorization", _AUTHORIZATION), TRANSFER, _authorization(TRANSFER)
    ),
    _token_schema(
        Struct("ReceiveWithAuthorization", _AUTHORIZATION), RECEIVE, _authorization(RECEIVE)
    ),
    _permit2_schema(
        Struct(
            "PermitSingle",
            "PermitDetails details,address spender,uint256 sigDeadline",
            (_DETAILS,),
        ),
        _allowance_transfer,
        "permit2.permit",
    ),
    _permit2_schema(
        Struct(
            "PermitBatch",
            "PermitDetails[] details,address spender,uint256 sigDeadline",
            (_DETAILS,),
        ),
        _allowance_transfer,
        "permit2.permitBatch",
    ),
    _permit2_schema(
        Struct("PermitTransferFrom", f"TokenPermissions permitted,{_SPENT}", (_PERMITTED,)),
        _signature_transfer,
        "permit2.transferFrom",
    ),
    _permit2_schema(
        Struct("PermitBatchTransferFrom", f"TokenPermissions[] permitted,{_SPENT}", (_PERMITTED,)),
        _signature_transfer,
        "permit2.batchTransferFrom",
    ),
)
