"""Addresses of connections, as authors and replayed lines write them."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def address_from_text(text: str) -> IPv4Address | IPv6Address:
    """An IPv4 or IPv6 address without prefix, port or zone; IPv4-mapped IPv6 is IPv4 (`Request.source_ip`).

    Raises ValueError.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError("not an IP address") from None
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        raise ValueError("an address without an interface belongs here; leave out the part from %")
    return address.ipv4_mapped or address
