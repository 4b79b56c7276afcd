"""Where messages may be sent: to the public internet, and to what the operator allows. Whoever names an address may
mean to have this service ask something that only it can reach, so an address is judged by what is connected to, however
it is written: a name is resolved once, every address of it is judged, and a judged address is connected to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

from jobs.addresses import HOST

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[IPAddress]]

MAX_URL = 2000
_PRINTED = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\\]+")
_ASCII = re.compile(r"[\x21-\x7e]*")
_NUMBER = re.compile(r"(\d+|0x[0-9a-f]*)", re.ASCII)
_PORTS = {"http": 80, "https": 443}

_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # relays of 6to4
            "224.0.0.0/4",  # multicast, which the standard library calls global
            "168.63.129.16/32",  # a cloud's own service, at a public address
            "2001::/23",  # protocol assignments, Teredo
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address within
            "3fff::/20",
        ),
    )
)
"""Beside those that ``ipaddress`` knows, in every version of Python that we run on."""


class AddressRefused(ValueError):
    """A URL that nothing is sent to. The message says what is wrong with it, and nothing of what a name resolves to."""


@dataclass(frozen=True)
class Target:
    """A URL in the parts that a request is made of. ``host``: in ASCII, without brackets; ``path``: with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_field(self) -> str:
        """The ``Host`` field: with brackets, and with a port that is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL as it may be shown and kept in plain text: what follows the host may be a secret."""
        return f"{self.scheme}://{self.host_field}/..."


def resolve(host: str, port: int) -> tuple[IPAddress, ...]:
    """Return every address of a host, as the system's resolver has them.

    Raises:
        OSError: it has none, or nobody answers.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(address[0]) for *_, address in found))


class Guard:
    """A judge of addresses.

    Args:
        allow: names, addresses and networks that are good although they are not public (``LETHE_WEBHOOK_ALLOW``).
        resolve: asked for the addresses of a name.
    """

    def __init__(self, allow: Sequence[str] = (), resolve: Resolve = resolve) -> None:
        self._networks = tuple(ipaddress.ip_network(each) for each in allow if _is_network(each))
        self._names = frozenset(each for each in allow if not _is_network(each))
        self._resolve = resolve

    def check(self, url: str) -> Target:
        """Read a URL, and judge what can be judged without asking anybody.

        Raises:
            AddressRefused: it is no URL of http or https, has a user, a password, a fragment or a zone in it, or names
                an address that is not public.
        """
        if len(url) > MAX_URL:
            raise AddressRefused(f"must have at most {MAX_URL} characters")
        try:
            parts = urlsplit(url) if _PRINTED.fullmatch(url) else None
            port = None if parts is None else parts.port
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in _PORTS or not parts.hostname:
            raise AddressRefused("must be a URL such as https://hooks.example/lethe")
        if "@" in parts.netloc:
            raise AddressRefused("must have neither a user nor a password")
        if parts.fragment:
            raise AddressRefused("must have no fragment (#...)")
        if port == 0:
            raise AddressRefused("the port must be from 1 to 65535")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not _ASCII.fullmatch(path):
            raise AddressRefused("what follows the host must be ASCII: write other characters as %XX")
        host = self._host(parts.hostname, "[" in parts.netloc)
        return Target(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path)

    def addresses(self, host: str, port: int) -> tuple[IPAddress, ...]:
        """Resolve a host, once, and return its addresses, of which each may be connected to.

        Raises:
            AddressRefused: one of them is not public.
            OSError: it has none.
        """
        found = tuple(self._resolve(host, port))
        if host not in self._names and not all(map(self._is_good, found)):
            raise AddressRefused("the host has an address that is not public")
        return found

    def _host(self, host: str, bracketed: bool) -> str:
        if "%" in host:
            raise AddressRefused("the host must have neither a zone nor %")
        if bracketed:
            try:
                address = ipaddress.IPv6Address(host)
            except ValueError:
                raise AddressRefused("the host is no IPv6 address") from None
            return self._literal(address)
        name = _in_ascii(host).removesuffix(".")
        if _NUMBER.fullmatch(name.rpartition(".")[2]):  # as resolvers and browsers read it: an IPv4 address, or nothing
            try:
                return self._literal(ipaddress.IPv4Address(socket.inet_aton(name)))
            except OSError:
                raise AddressRefused("the host is neither a name nor an IPv4 address") from None
        if not HOST.fullmatch(name):
            raise AddressRefused("the host is no name of letters, digits, dashes and dots, at most 63 between two dots")
        if (name == "localhost" or name.endswith(".localhost")) and name not in self._names:
            self._literal(ipaddress.IPv4Address("127.0.0.1"))
        return name

    def _literal(self, address: IPAddress) -> str:
        if not self._is_good(address):
            raise AddressRefused("the address is not of the public internet")
        return str(address)

    def _is_good(self, address: IPAddress) -> bool:
        return is_public(address) or any(address in network for network in self._networks)


def is_public(address: IPAddress) -> bool:
    """Return whether an address is of the public internet: one within another (mapped, by NAT64) is judged by what is
    reached in the end."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST:
            return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _in_ascii(host: str) -> str:
    """A host as it is asked for in DNS: digits and letters of other scripts that mean ASCII ones become those."""
    try:
        return host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise AddressRefused("the host is no name: write an international one in Unicode or as xn--...") from None


def _is_network(entry: str) -> bool:
    try:
        ipaddress.ip_network(entry)
    except ValueError:
        return False
    return True
