"""Addresses that somebody else chose are called only where they are public, so that nobody calls our insides.

A recipient's webhook, a browser's push service, an attachment's URL: each could name the database's host or a
cloud's metadata service (https://owasp.org/www-community/attacks/Server_Side_Request_Forgery). A name is
looked at when it is resolved, and each address once more when a socket is made for it, so that neither a name
that changes its mind nor a literal address gets past.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from django.conf import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CARRIES_IPV4 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("::/96"))
"""NAT64 (RFC 6052, RFC 8215) and IPv4-compatible addresses: the last 32 bits say where they lead."""


_SPECIAL = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"))
"""Protocol assignments and the old 6to4 relays, parts of which Python calls global."""


class PrivateAddressError(OSError):
    """The address is not public, and the installation does not allow its network."""


def guarded_connector() -> aiohttp.TCPConnector:
    """Names are not remembered: what is checked is what is called."""
    return aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=15,
        use_dns_cache=False,
        resolver=GuardedResolver(),
        socket_factory=guarded_socket,
    )


class GuardedResolver(AbstractResolver):
    """Refuses a name as soon as one of its addresses is not public."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            refuse_private(result["host"])
        return found

    async def close(self) -> None:
        await self._resolver.close()


def guarded_socket(info: AddrInfoType) -> socket.socket:
    """As aiohttp would make it, for a public address."""
    family, kind, protocol, _, place = info
    refuse_private(str(place[0]))
    return socket.socket(family, kind, protocol)


def refuse_private(host: str) -> None:
    address = ip_address(host.partition("%")[0])
    if not (is_public(address) or any(address in network for network in _allowed())):
        raise PrivateAddressError("not a public address")


def is_public(address: Address) -> bool:
    """Whether it leads into the Internet, whatever it is wrapped in.

    https://www.iana.org/assignments/iana-ipv6-special-registry/
    """
    if isinstance(address, IPv6Address):
        if (inside := _inside(address)) is not None:
            return is_public(inside)
        if address.is_site_local:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that it stands for; for Teredo, the client's."""
    if any(address in network for network in _CARRIES_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _allowed() -> tuple[Network, ...]:
    return _networks(tuple(settings.NOTIFICATION_PRIVATE_NETWORKS))


@lru_cache(maxsize=8)
def _networks(names: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(name) for name in names)
