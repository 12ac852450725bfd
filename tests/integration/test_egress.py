"""Where the desk connects to at the word of others, over real sockets; names are looked up in a stand-in for DNS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.web.addresses import Allowed, is_public
from bot.web.egress import Egress, EgressError, NoAnswer, NotAllowed, OtherStatus, TooLarge


class Names(AbstractResolver):
    """Every name has the addresses that it is given here, the next of them at every question."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name.replace("_", "."): answers for name, answers in names.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self.names[host]
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=one, port=port, family=kind, proto=0, flags=0)
            for one in address.split(" ")
        ]

    async def close(self) -> None: ...


class Site:
    """A server on loopback that remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.redirects: dict[str, str] = {}
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        path = request.path
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if path.startswith("/loop"):
            return web.Response(status=302, headers={"Location": f"/loop{len(self.requests)}"})
        if path == "/drip":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(100):
                await response.write(b"x")
                await asyncio.sleep(0.05)
            return response
        if path == "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(1000):
                await response.write(b"x" * 65536)
            return response
        if path == "/packed":
            return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
        if path == "/gone":
            return web.Response(status=410)
        return web.Response(body=b"content")

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


@asynccontextmanager
async def egress(*allowed: str, **names: list[str]) -> AsyncIterator[Egress]:
    found = Egress(allowed, resolver=Names(**names) if names else None)
    try:
        yield found
    finally:
        await found.close()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *(
            "168.63.129.16",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:7f00:1",
            "fe80::1",
            "fe80::1%lo",
        ),
        *(
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "::127.0.0.1",
        ),
        *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "2001:db8::1"),
    ],
)
def test_no_address_within_is_public(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not Allowed.of([]).address(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::808:808"])
def test_others_are(address: str) -> None:
    assert is_public(ip_address(address))


def test_a_network_that_is_allowed_is_so_in_both_ways_of_writing_it() -> None:
    allowed = Allowed.of(["10.0.0.0/8", "::1"])
    assert allowed.address(ip_address("10.1.2.3"))
    assert allowed.address(ip_address("::ffff:10.1.2.3"))
    assert allowed.address(ip_address("::1"))
    assert not allowed.address(ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.com/x", "file:///etc/passwd", "//example.com", "", "http://", "http://[", "x" * 9000),
        *("http://user:word@example.com/", "http://user@example.com/", "gopher://127.0.0.1/"),
    ],
)
async def test_what_is_no_plain_address_of_http_is_refused(url: str) -> None:
    async with egress() as out:
        with pytest.raises(NotAllowed):
            await out.get(url, 100)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_is_not_reached_however_it_is_written(site: Site, host: str) -> None:
    async with egress() as out:
        with pytest.raises(EgressError):
            await out.get(site.url(host=host), 100)
    assert not site.requests


async def test_a_name_that_leads_inside_is_refused_when_it_is_connected(site: Site) -> None:
    async with egress(inner_example=["127.0.0.1"], both_example=["::1 127.0.0.1"]) as out:
        for host in ("inner.example", "both.example"):
            with pytest.raises(NotAllowed, match=r"egress\.allow"):
                await out.get(site.url(host=host), 100)
            with pytest.raises(NotAllowed):
                await out.post(site.url(host=host), b"{}", {}, limit=100)
    assert not site.requests


async def test_a_name_that_leads_elsewhere_the_second_time_is_refused_then(site: Site) -> None:
    """Rebinding: the first look-up is of an allowed network, the next is not."""
    async with egress("127.0.0.0/8", turning_example=["127.0.0.1", "10.255.255.1"]) as out:
        assert await out.get(site.url(host="turning.example"), 100) == b"content"
        await out.close()
        out._sessions.clear()
        with pytest.raises(NotAllowed):
            await out.get(site.url(host="turning.example"), 100)


async def test_what_the_operator_allows_is_reached(site: Site) -> None:
    for allowed in ("127.0.0.1", "127.0.0.0/8"):
        async with egress(allowed) as out:
            assert await out.get(site.url(), 100) == b"content"
    async with egress("bridge.internal", bridge_internal=["127.0.0.1"], other_internal=["127.0.0.1"]) as out:
        assert await out.get(site.url(host="bridge.internal"), 100) == b"content"
        with pytest.raises(NotAllowed):
            await out.get(site.url(host="other.internal"), 100)
    configured = Egress(configured=[site.url("/api")])
    assert await configured.get(site.url("/file"), 100) == b"content"
    with pytest.raises(NotAllowed):  # another port is another server
        await configured.get("http://127.0.0.1:1/", 100)
    await configured.close()


async def test_every_redirect_is_looked_at(site: Site) -> None:
    site.redirects = {
        "/in": site.url("/secret", "inner.example"),
        "/literal": "http://169.254.169.254/latest/meta-data",
        "/file": "file:///etc/passwd",
        "/word": "http://user:word@front.example/",
        "/fine": "/content",
    }
    async with egress("front.example", front_example=["127.0.0.1"], inner_example=["127.0.0.1"]) as out:
        for path in ("/in", "/literal", "/file", "/word"):
            with pytest.raises(NotAllowed):
                await out.get(site.url(path, "front.example"), 100)
        assert await out.get(site.url("/fine", "front.example"), 100) == b"content"
        with pytest.raises(NoAnswer, match="redirects"):
            await out.get(site.url("/loop", "front.example"), 100)
        # What is posted goes nowhere else.
        assert (await out.post(site.url("/fine", "front.example"), b"{}", {}, limit=100)).status == 302
    assert "/secret" not in [request.path for request in site.requests]
    assert len(site.requests) < 20


async def test_sizes_and_times_have_an_end(site: Site) -> None:
    async with egress("127.0.0.1") as out:
        for path in ("/endless", "/"):
            with pytest.raises(TooLarge):
                await out.get(site.url(path), 5)
        with pytest.raises(NoAnswer, match="in time"):
            await out.get(site.url("/drip"), 1000, within=0.3)
        with pytest.raises(NoAnswer, match="packed"):
            await out.get(site.url("/packed"), 1000)
        with pytest.raises(OtherStatus) as gone:
            await out.get(site.url("/gone"), 1000)
        assert gone.value.status == 410
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoAnswer):
            await out.get(f"http://127.0.0.1:{silent.getsockname()[1]}/", 1000, within=0.3)


async def test_no_proxy_and_nothing_of_the_desk_goes_along(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with egress("127.0.0.1") as out:
        assert await out.get(site.url(), 100) == b"content"
    (request,) = site.requests
    assert not {"authorization", "cookie", "referer", "proxy-authorization"} & {
        name.lower() for name in request.headers
    }
