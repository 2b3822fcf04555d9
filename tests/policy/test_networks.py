"""Networks in CIDR notation: one spelling, no mixing of address families."""

import pytest

from policy import networks


@pytest.mark.parametrize(
    ("peer", "host"),
    [("10.1.2.3:50000", "10.1.2.3"), ("[::1]:50000", "::1"), ("10.1.2.3", ""), ("", "")],
)
def test_a_peer_is_an_address_and_a_port(peer: str, host: str) -> None:
    """What has no port has no address either, and is in no network."""
    assert networks.host(peer) == host


@pytest.mark.parametrize(
    ("inner", "outer", "inside"),
    [
        ("10.1.0.0/16", "10.0.0.0/8", True),
        ("10.0.0.0/8", "10.0.0.0/8", True),
        ("10.0.0.0/8", "10.1.0.0/16", False),
        ("10.0.0.0/8", "::/0", False),
        ("2001:db8::/32", "::/0", True),
    ],
)
def test_a_network_is_within_another_of_its_family(inner: str, outer: str, inside: bool) -> None:  # noqa: FBT001 — a table
    """IPv4 is never within IPv6, however wide."""
    assert networks.within(networks.parse(inner), networks.parse(outer)) is inside
