"""Valid payloads of every format: what mutations and fuzzing start from."""

from collections.abc import Mapping

import rfc8785

from tests.policy.payloads.examples import VALID
from tests.policy.payloads_bitcoin import drafts
from tests.policy.payloads_chains import test_cosmos as cosmos
from tests.policy.payloads_chains import test_tron as tron
from tests.policy.payloads_exchanges import test_binance as binance
from tests.policy.payloads_exchanges import test_bitmex as bitmex
from tests.policy.payloads_exchanges import test_coinbase as coinbase
from tests.policy.payloads_exchanges import test_deribit as deribit
from tests.policy.payloads_exchanges import test_hyperliquid as hyperliquid
from tests.policy.payloads_exchanges import test_hyperliquid_transfer as transfer
from tests.policy.payloads_exchanges import test_json_requests as json_requests
from tests.policy.payloads_exchanges import test_kraken as kraken
from tests.policy.payloads_exchanges import test_logon as logon
from tests.policy.payloads_solana import test_solana as solana


def _json_requests(tag: str) -> tuple[bytes, ...]:
    return tuple(payload for found, payload in json_requests.ACCEPTED if found == tag)


SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "binance.request": binance.ACCEPTED,
    "bitcoin.psbt": drafts.ACCEPTED,
    "bitmex.request": bitmex.ACCEPTED,
    "bybit.request": _json_requests("bybit.request"),
    "coinbase.jwt": coinbase.ACCEPTED,
    "cosmos.signdoc": cosmos.ACCEPTED,
    "deribit.request": deribit.ACCEPTED,
    "hyperliquid.action": tuple(map(rfc8785.dumps, hyperliquid.ACCEPTED)),
    "hyperliquid.transfer": tuple(map(rfc8785.dumps, transfer.ACCEPTED)),
    "kraken.request": kraken.ACCEPTED,
    "okx.request": _json_requests("okx.request"),
    "solana.message": solana.ACCEPTED,
    "tron.transaction": tron.ACCEPTED,
    "venue.logon": logon.ACCEPTED,
    **VALID,
}
