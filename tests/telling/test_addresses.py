"""No packet goes to an address that is not of the public internet: however it is written, by whatever name, after
whatever redirect. Listeners on this machine count who connects."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from telling.addresses import AddressRefused, Guard, IPAddress, Target, is_public
from telling.posting import Posting
from tests.support.sink import counting, sink
from tests.support.tls import certificates

NOTATIONS = (
    *("127.0.0.1", "127.1", "127.0.1", "127.8.8.8", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "017700000001"),
    *("0177.0.0.1", "0177.1", "127.0.0.1.", "0", "0.0.0.0", "00.0.0", "\uff11\uff12\uff17.0.0.1", "127\u30020.0.1"),
    *("\u2460\u2461\u2466.0.0.1", "\u0967\u0968\u096d.0.0.1", "localhost", "LOCALHOST", "localhost.", "a.localhost"),
    *("\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54", "loc\u00adalhost", "127.0.0.1%2f", "127.0.0.1%00"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]"),
    *("[::1%lo]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[fe80::1]"),
    *("[2001:0:7f00:1::]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fe80::1%25eth0]", "[::ffff:0:127.0.0.1]"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0xa9fea9fe", "2852039166", "[::ffff:a9fe:a9fe]"),
    *("100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "[2001:db8::1]"),
    *("1.2.3.4.5", "256.256.256.256", "0x", "1.0x.1.1", "[1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "user@8.8.8.8"),
    *("8.8.8.8@127.0.0.1", "8.8.8.8:80@127.0.0.1", "8.8.8.8\\@127.0.0.1", "8.8.8.8#@127.0.0.1", "-", "", ".", ".."),
)


def never_asked(host: str, port: int) -> Sequence[IPAddress]:
    raise AssertionError(f"{host} was to be refused before anybody is asked for it")


def posting(guard: Guard, tls: ssl.SSLContext | None = None) -> Posting:
    return Posting(guard, tls or ssl.create_default_context(), seconds=5)


def test_no_notation_reaches_what_is_not_public(figure: Callable[[str], None]) -> None:
    """Refused as a URL; and, where a URL of it had been let through, before anything is connected to."""
    with counting() as here:
        for host in NOTATIONS:
            for url in (f"http://{host}:{here.port}/", f"https://{host}:{here.port}/a?b"):
                with pytest.raises(AddressRefused):
                    Guard(resolve=never_asked).check(url)
            plain = host.strip("[]").replace("%25", "%")
            if plain.isascii() and plain.strip("."):
                outcome = posting(Guard()).post(Target("http", plain, here.port, "/"), {}, b"{}")
                assert outcome.response is None
        assert here.connections == 0
        # That it would have been counted, where it is allowed.
        for host in ("127.1", "[::1]", "localhost"):
            before = here.connections
            allowing = Guard(("127.0.0.0/8", "::1"))
            posting(allowing).post(allowing.check(f"http://{host}:{here.port}/"), {}, b"{}")
            assert here.connections > before
    figure(f"{len(NOTATIONS)} ways to write an address, twice each: 0 connections")


@pytest.mark.parametrize("url", ["ftp://8.8.8.8/", "file:///etc/passwd", "gopher://8.8.8.8/", "//8.8.8.8/", "8.8.8.8"])
def test_other_schemes(url: str) -> None:
    with pytest.raises(AddressRefused, match="must be a URL such as https"):
        Guard().check(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://a.example:0/", "the port must be from 1 to 65535"),
        ("https://a.example:99999/", "must be a URL"),
        ("https://a.example/ b", "must be a URL"),
        ("https://a.example/\r\nX: y", "must be a URL"),
        ("https://a.example/\u00e9", "%XX"),
        ("https://a.example/#x", "fragment"),
        ("https://u:p@a.example/", "neither a user nor a password"),
        ("https://a_b.example/", "letters, digits, dashes and dots"),
        (f"https://{'a' * 64}.example/", "at most 63 between two dots"),
        (f"https://{'b' * 64}/", "at most 63 between two dots"),
        ("https://a.example/" + "x" * 2000, "at most 2000 characters"),
    ],
)
def test_what_is_no_url_of_a_receiver(url: str, said: str) -> None:
    with pytest.raises(AddressRefused, match=said):
        Guard().check(url)


def test_a_name_that_no_resolver_can_write_is_a_failure_of_the_try() -> None:
    """As one is that was let through by a service before."""
    outcome = posting(Guard()).post(Target("http", f"{'a' * 64}.example", 80, "/"), {}, b"{}")
    assert (outcome.response, outcome.error) == (None, "the host's name cannot be resolved")


def test_what_is_public_is_let_through() -> None:
    check = Guard(resolve=never_asked).check
    assert check(f"https://{'a' * 63}.example/").host == f"{'a' * 63}.example"
    assert check("https://Hooks.Example.ORG./a?b=c") == Target("https", "hooks.example.org", 443, "/a?b=c")
    assert check("https://b\u00fccher.example/").host == "xn--bcher-kva.example"
    assert check("http://134744072:8080") == Target("http", "8.8.8.8", 8080, "/")
    assert check("https://[2606:4700::1111]/").host_field == "[2606:4700::1111]"
    assert Target("https", "a.example", 8443, "/").host_field == "a.example:8443"
    public = ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
    assert [address for address in public if not is_public(ip_address(address))] == []


def test_a_name_that_rebinds_reaches_what_was_judged(figure: Callable[[str], None]) -> None:
    """It is resolved once. Every address that it has then is judged, and one of those is connected to."""
    asked: list[str] = []
    answers: list[list[str]] = []

    def resolve(host: str, _: int) -> Sequence[IPAddress]:
        asked.append(host)
        return [ip_address(each) for each in (answers.pop(0) if answers else ["127.0.0.1"])]

    guard = Guard(("127.0.0.2",), resolve)
    with sink("127.0.0.2") as good:
        port = int(good.url.split(":")[2].split("/")[0])
        with sink("127.0.0.1", port) as forbidden:
            target = guard.check(f"http://rebinds.example:{port}/")
            for told in (["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["8.8.8.8", "::1"], ["8.8.8.8", "::ffff:7f00:1"]):
                answers[:] = [told]
                outcome = posting(guard).post(target, {}, b"{}")
                assert outcome.error == "the host has an address that is not public"
            assert len(asked) == 4
            answers[:] = [["127.0.0.2"]]  # and whoever asks again is told the other
            assert posting(guard).post(target, {}, b"{}").response == 204
            assert len(asked) == 5
            assert (len(good.received), len(forbidden.received)) == (1, 0)
            assert good.received[0].headers["host"] == f"rebinds.example:{port}"
    figure("4 names that rebind, and one between two looks: 0 packets")


def test_redirects_are_not_followed(figure: Callable[[str], None]) -> None:
    guard = Guard(("127.0.0.1",))
    with counting() as elsewhere, sink() as leads:
        for status in (301, 302, 303, 307, 308):
            leads.status, leads.fields = status, {"Location": f"http://127.0.0.1:{elsewhere.port}/"}
            outcome = posting(guard).post(guard.check(leads.url), {}, b"{}")
            assert (outcome.response, outcome.error) == (status, f"answered {status}: redirects are not followed")
        assert elsewhere.connections == 0
    figure("5 kinds of redirect: 0 followed")


def test_certificates_are_of_the_name_and_not_of_the_address(tmp_path: Path) -> None:
    def resolve(_: str, __: int) -> Sequence[IPAddress]:
        return [ip_address("127.0.0.1")]

    ca, server = certificates(tmp_path, "hooks.example")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(server)
    asked: list[str | None] = []
    theirs.sni_callback = lambda _, name, __: asked.append(name)
    ours = ssl.create_default_context(cafile=str(ca))
    guard = Guard(("127.0.0.1",), resolve)
    with sink(tls=theirs) as received:
        port = received.url.split(":")[2].split("/")[0]

        def post(host: str, tls: ssl.SSLContext) -> tuple[int | None, str | None]:
            outcome = posting(guard, tls).post(guard.check(f"https://{host}:{port}/hook"), {}, b"{}")
            return outcome.response, outcome.error

        assert post("hooks.example", ours) == (204, None)
        response, error = post("other.example", ours)
        assert response is None
        assert error is not None
        assert error.startswith("the certificate is not good: Hostname mismatch")
        assert "the certificate is not good" in (post("hooks.example", ssl.create_default_context())[1] or "")
    assert asked == ["hooks.example", "other.example", "hooks.example"]
    assert len(received.received) == 1


def test_the_operator_allows_names_and_networks() -> None:
    def resolve(_: str, __: int) -> Sequence[IPAddress]:
        return [ip_address("10.1.2.3")]

    allowing = Guard(("hooks.internal", "10.9.0.0/16"), resolve)
    assert allowing.check("http://10.9.1.1/").host == "10.9.1.1"
    assert allowing.addresses("hooks.internal", 80) == (ip_address("10.1.2.3"),)
    for host in ("other.internal", "a.hooks.internal"):
        with pytest.raises(AddressRefused):
            allowing.addresses(host, 80)
    with pytest.raises(AddressRefused):
        allowing.check("http://10.8.1.1/")
