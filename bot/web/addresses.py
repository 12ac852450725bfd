"""Which addresses of the network are public, and which others an operator lets the desk reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")
_BESIDES = (
    IPv4Network("168.63.129.16/32"),  # public by number, and yet inside: where a machine in Azure is told its settings
    IPv4Network("192.0.0.0/24"),  # the same at Oracle; older Pythons call most of it global
    IPv6Network("fec0::/10"),
)


def is_public(address: Address) -> bool:
    """Whether it is a single machine on the public network: not this machine, not its neighbours, not what a cloud
    tells its machines, not a carrier's inner network, and none of these written in the ways of IPv6."""
    inner = _inside(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and (address.sixtofour or address.teredo):
        return False  # tunnels that nobody needs any more, to an address that is in the number
    special = address.is_multicast or address.is_reserved or any(address in network for network in _BESIDES)
    return address.is_global and not special


def _inside(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if not isinstance(address, IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def literal(host: str) -> Address | None:
    """The address that a host's name is; None for a name that has to be looked up."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an operator allows besides public addresses (``egress.allow`` of ``config.yml``)."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Allowed:
        """From host names, addresses and networks (``10.0.0.0/8``)."""
        hosts, networks = set[str](), list[IPv4Network | IPv6Network]()
        for entry in entries:
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                hosts.add(entry.lower().rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def host(self, name: str) -> bool:
        """Whether it is named: wherever it leads, it may be reached."""
        return name.lower().rstrip(".") in self.hosts

    def address(self, address: Address) -> bool:
        """Whether it is public, or in one of the networks."""
        inner = _inside(address)
        told = address if inner is None else inner
        return is_public(address) or any(told in network for network in self.networks)
