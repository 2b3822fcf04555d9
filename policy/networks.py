"""Source networks in CIDR notation (RFC 4632, RFC 4291), and whether an address is in one."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse(text: str) -> Network:
    """Return the network of ``10.1.0.0/16`` or ``2001:db8::/32``.

    Raises:
        ValueError: it is not one, or not in its one spelling.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f'{text!a} is not a network; write it like "10.1.0.0/16"') from None
    if str(network) != text:
        raise ValueError(f'{text!a} has another spelling; write "{network}"')
    return network


def host(peer: str) -> str:
    """Return the address of ``10.1.2.3:50000`` or ``[::1]:50000``, without its port."""
    return peer.rpartition(":")[0].removeprefix("[").removesuffix("]")


def contain(networks: Iterable[Network], address: str | None) -> bool:
    """Whether one of the networks has the address; none has what is no address."""
    found = _address(address or "")
    return found is not None and any(found in network for network in networks)


def within(inner: Network, outer: Network) -> bool:
    """Whether every address of one network is in the other."""
    match inner, outer:
        case (IPv4Network(), IPv4Network()) | (IPv6Network(), IPv6Network()):
            return inner.subnet_of(outer)  # type: ignore[arg-type] # mypy does not pair them
        case _:
            return False


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket shows IPv4 peers as ::ffff:10.1.2.3 (RFC 4291, section 2.5.5.2).
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
