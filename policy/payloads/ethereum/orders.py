"""Limit orders that anybody may fill once they are signed: CoW Protocol and 0x version 4.

An order lets go what it sells, in full, and brings at least what it buys. The facts hold
both; the policy's reading makes a symbol and a price of them.
"""

from policy.model import Facts, Side, Transfer
from policy.payloads.ethereum.eip712 import Struct, domain_type
from policy.payloads.ethereum.pinned import NATIVE, NONE, Domain, Schema, Values, token
from policy.reasons import Code, PayloadError

COW, ZEROX = "cow.order", "0x.limitOrder"
_DOMAIN = domain_type("string name,string version,uint256 chainId,address verifyingContract")
_COW = {
    "name": "Gnosis Protocol",
    "version": "v2",
    "verifyingContract": "0x9008D19f58AAbD9eD0D60971565AA8510560ab41",
}
_ZEROX = {
    "name": "ZeroEx",
    "version": "1.0.0",
    "verifyingContract": "0xDef1C0ded9bec7F1a1670819833240f027b25EfF",
}


def _cow(domain: Domain, message: Values) -> Facts:
    """Read an order; what it buys goes to the receiver, who is the destination."""
    if message["kind"] not in {"sell", "buy"}:
        raise _unsupported("kind", "is neither sell nor buy")
    for name in ("sellTokenBalance", "buyTokenBalance"):
        if message[name] != "erc20":
            raise _unsupported(name, "is not erc20: balances of a vault are not seen here")
    if message["sellToken"] == NATIVE:
        raise _unsupported("sellToken", "is the coin, which no order can sell")
    receiver = message["receiver"]
    if receiver == domain.contract:
        raise _unsupported("receiver", "is the contract itself, which keeps what it is paid")
    return _order(
        COW,
        domain,
        sells=(message["sellToken"], message["sellAmount"] + message["feeAmount"]),
        buys=(message["buyToken"], message["buyAmount"]),
        destination=domain.contract if receiver == NONE else receiver,
        expires_at=message["validTo"],
    )


def _zerox(domain: Domain, message: Values) -> Facts:
    """Read an order; its maker sells and is paid."""
    return _order(
        ZEROX,
        domain,
        sells=(message["makerToken"], message["makerAmount"]),
        buys=(message["takerToken"], message["takerAmount"]),
        destination=domain.contract,
        expires_at=message["expiry"],
        source=message["maker"],
        nonce=str(message["salt"]),
    )


def _order(
    action: str,
    domain: Domain,
    *,
    sells: tuple[str, int],
    buys: tuple[str, int],
    destination: str,
    expires_at: int,
    source: str | None = None,
    nonce: str | None = None,
) -> Facts:
    sold, bought = (
        Transfer(token(domain.chain_id, contract), amount, destination)
        for contract, amount in (sells, buys)
    )
    if not sold.amount:
        raise _unsupported("amount", "is zero: nothing is sold")
    if sold.asset == bought.asset:
        raise _unsupported("token", "is sold for itself")
    return Facts(
        action,
        (sold,),
        chain_id=domain.chain_id,
        source=source,
        expires_at=expires_at,
        nonce=nonce,
        venue=action.partition(".")[0],
        side=Side.SELL,
        order_type="limit",
        receives=bought,
    )


def _unsupported(name: str, detail: str) -> PayloadError:
    return PayloadError(Code.PAYLOAD_UNSUPPORTED, f"$.message.{name}", detail)


SCHEMAS = (
    Schema(
        Struct(
            "Order",
            "address sellToken,address buyToken,address receiver,uint256 sellAmount,"
            "uint256 buyAmount,uint32 validTo,bytes32 appData,uint256 feeAmount,string kind,"
            "bool partiallyFillable,string sellTokenBalance,string buyTokenBalance",
        ),
        (_DOMAIN,),
        _cow,
        frozenset({COW}),
        _COW,
    ),
    Schema(
        Struct(
            "LimitOrder",
            "address makerToken,address takerToken,uint128 makerAmount,uint128 takerAmount,"
            "uint128 takerTokenFeeAmount,address maker,address taker,address sender,"
            "address feeRecipient,bytes32 pool,uint64 expiry,uint256 salt",
        ),
        (_DOMAIN,),
        _zerox,
        frozenset({ZEROX}),
        _ZEROX,
    ),
)
