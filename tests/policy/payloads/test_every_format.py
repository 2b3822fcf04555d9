"""What every format is held to: another implementation, and a table of ways round."""

from collections.abc import Callable, Mapping, Sized

import pytest
from hypothesis import is_hypothesis_test

from policy.payloads import FORMATS
from tests.policy.payloads import test_envelopes as envelopes
from tests.policy.payloads import test_ethereum_oracle as ethereum
from tests.policy.payloads import test_intent as intents
from tests.policy.payloads import test_intent_oracle as intent
from tests.policy.payloads import test_messages as messages
from tests.policy.payloads import test_messages_oracle as messages_oracle
from tests.policy.payloads import test_refused_transactions as transactions
from tests.policy.payloads import test_refused_typed_data as refused_typed_data
from tests.policy.payloads import test_typed_data as typed_data
from tests.policy.payloads.examples import ORACLE_EXAMPLES
from tests.policy.payloads.typed_examples import KINDS
from tests.policy.payloads_bitcoin import test_psbt_oracle as psbt
from tests.policy.payloads_bitcoin import test_refused_psbts as psbts
from tests.policy.payloads_bitcoin import test_refused_spending as spending
from tests.policy.payloads_chains import test_chains_oracle as chains
from tests.policy.payloads_chains import test_cosmos as cosmos
from tests.policy.payloads_chains import test_tron as tron
from tests.policy.payloads_exchanges import test_binance as binance
from tests.policy.payloads_exchanges import test_bitmex as bitmex
from tests.policy.payloads_exchanges import test_bitmex_oracle as bitmex_oracle
from tests.policy.payloads_exchanges import test_coinbase as coinbase
from tests.policy.payloads_exchanges import test_coinbase_oracle as coinbase_oracle
from tests.policy.payloads_exchanges import test_deribit as deribit
from tests.policy.payloads_exchanges import test_exchanges_oracle as exchanges
from tests.policy.payloads_exchanges import test_hyperliquid as hyperliquid
from tests.policy.payloads_exchanges import test_hyperliquid_oracle as hyperliquid_oracle
from tests.policy.payloads_exchanges import test_hyperliquid_transfer as transfer
from tests.policy.payloads_exchanges import test_json_requests as json_requests
from tests.policy.payloads_exchanges import test_kraken as kraken
from tests.policy.payloads_exchanges import test_logon as logon
from tests.policy.payloads_exchanges import test_logon_oracle as logon_oracle
from tests.policy.payloads_solana import test_solana as solana
from tests.policy.payloads_solana import test_solana_oracle as solana_oracle

# Generated payloads against another implementation, which `make oracles` runs for long.
ORACLES: Mapping[str, Callable[..., object]] = {
    **dict.fromkeys(exchanges.CLIENTS, exchanges.test_a_clients_order_is_read_and_signed),
    "bitcoin.psbt": psbt.test_generated_psbts,
    "bitmex.request": bitmex_oracle.test_the_venue_accepts_an_order_and_reads_the_same,
    "coinbase.jwt": coinbase_oracle.test_the_oracle_accepts_the_token_and_reads_the_same,
    "cosmos.signdoc": chains.test_the_oracle_reads_the_same_sign_document,
    "ethereum.message": messages_oracle.test_the_oracle_recovers_the_signer_of_a_message,
    "ethereum.transaction": ethereum.test_the_oracle_recovers_the_signer,
    "ethereum.typed-data": typed_data.test_generated_documents_hash_like_the_oracle,
    "hyperliquid.action": hyperliquid_oracle.test_an_orders_typed_data_is_the_oracles,
    "hyperliquid.transfer": hyperliquid_oracle.test_a_transfers_typed_data_is_the_oracles,
    "intent": intent.test_the_oracle_writes_the_same_intent,
    "intent.cose": envelopes.test_the_cose_oracle_agrees,
    "intent.jws": envelopes.test_the_jws_oracle_agrees,
    "solana.message": solana_oracle.test_the_oracle_reads_the_same_transfer,
    "tron.transaction": chains.test_the_oracle_reads_the_same_transfer,
    "venue.logon": logon_oracle.test_the_venue_accepts_the_logon_and_reads_the_same,
}
WAYS_ROUND: Mapping[str, Sized] = {
    "binance.request": binance.HOSTILE,
    "bitcoin.psbt": psbts.CASES | spending.CASES,
    "bitmex.request": bitmex.HOSTILE,
    "bybit.request": json_requests.BYBIT_HOSTILE,
    "coinbase.jwt": coinbase.HOSTILE,
    "cosmos.signdoc": cosmos.HOSTILE,
    "deribit.request": deribit.HOSTILE,
    "ethereum.message": messages.HOSTILE,
    "ethereum.transaction": transactions.IN_TYPES,
    "ethereum.typed-data": refused_typed_data.EDITS,
    "hyperliquid.action": hyperliquid.HOSTILE,
    "hyperliquid.transfer": transfer.HOSTILE,
    "intent": intents.MALFORMED,
    "intent.cose": envelopes.HOSTILE_COSE,
    "intent.jws": envelopes.HOSTILE_JWS,
    "kraken.request": kraken.HOSTILE,
    "okx.request": json_requests.OKX_HOSTILE,
    "solana.message": solana.HOSTILE,
    "tron.transaction": tron.HOSTILE,
    "venue.logon": logon.HOSTILE,
}
FEWEST, FEWEST_IN_ALL = 15, 400


def test_every_format_has_both() -> None:
    """No format is without a generated oracle or a table of ways round."""
    assert ORACLES.keys() == WAYS_ROUND.keys() == FORMATS.keys()


@pytest.mark.parametrize("tag", sorted(ORACLES))
def test_the_oracle_is_asked_for_as_long_as_one_likes(tag: str) -> None:
    """Each is generated, runs with `make oracles`, and takes its number of examples from there."""
    test = ORACLES[tag]
    assert is_hypothesis_test(test)
    examples = test._hypothesis_internal_use_settings.max_examples  # type: ignore[attr-defined]  # hypothesis's own
    kinds = len(KINDS) if tag == "ethereum.typed-data" else 1
    assert examples * kinds >= ORACLE_EXAMPLES
    assert "oracle" in f"{test.__module__} {test.__name__}"


def test_there_are_enough_ways_round() -> None:
    """Each format's table has several families, and together they are a corpus."""
    sizes = {tag: len(table) for tag, table in WAYS_ROUND.items()}
    assert min(sizes.values()) >= FEWEST, sizes
    assert sum(sizes.values()) >= FEWEST_IN_ALL
