"""RasaEngine against a server that misbehaves in every way, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from bot.domain.engine import OUT_OF_SCOPE, EngineUnavailable, Ranked
from intents.rasa import Endpoint, RasaEngine

Respond = Callable[[str, bytes], Awaitable[bytes]]
"""The request line and body to the bytes of the answer."""


def http(status: int, body: object) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (status, len(content), content)


def parsed(*ranking: tuple[str, float], top: str | None = None) -> dict[str, object]:
    intents = [{"name": name, "confidence": confidence} for name, confidence in ranking]
    best = next((intent for intent in intents if intent["name"] == top), intents[0] if intents else None)
    return {"text": "…", "intent": best, "entities": [], "intent_ranking": intents}


@asynccontextmanager
async def engine_for(respond: Respond, timeout: float = 5.0) -> AsyncIterator[RasaEngine]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line.split(":")[1]) for line in head.lower().split("\r\n") if "content-length" in line), 0)
        body = await reader.readexactly(length)
        writer.write(await respond(head.split("\r\n")[0], body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, RasaEngine(lambda: Endpoint(f"http://127.0.0.1:{port}", "s3cret"), timeout) as engine:
        yield engine


def always(answer: bytes) -> Respond:
    async def respond(_line: str, _body: bytes) -> bytes:
        return answer

    return respond


async def test_a_sure_prediction() -> None:
    answer = http(200, parsed(("greet", 0.9), ("thanks", 0.08), ("deny", 0.02)))
    async with engine_for(always(answer)) as engine:
        prediction = await engine.predict("hello")
    assert prediction.text == "hello"
    assert (prediction.intent, prediction.confidence, prediction.sure) == ("greet", 0.9, True)
    assert prediction.ranking == (Ranked("greet", 0.9), Ranked("thanks", 0.08), Ranked("deny", 0.02))


async def test_the_fallback_is_a_verdict_and_not_an_intent() -> None:
    answer = http(200, parsed(("nlu_fallback", 0.5), ("greet", 0.4), ("thanks", 0.3)))
    async with engine_for(always(answer)) as engine:
        prediction = await engine.predict("hm")
    assert (prediction.intent, prediction.confidence, prediction.sure) == ("greet", 0.4, False)
    assert [ranked.name for ranked in prediction.ranking] == ["greet", "thanks"]


async def test_out_of_scope_is_never_sure() -> None:
    async with engine_for(always(http(200, parsed((OUT_OF_SCOPE, 0.99), ("greet", 0.01))))) as engine:
        prediction = await engine.predict("will it rain")
    assert prediction.intent == OUT_OF_SCOPE
    assert not prediction.sure


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http(200, b"<html>proxy</html>"), "not JSON"),
        (http(200, b"\xff\xfe"), "not JSON"),
        (http(200, []), "not a prediction: body"),
        (http(200, {"intent": None}), "not a prediction: intent, intent_ranking"),
        (http(200, parsed(("greet", 7.0))), "confidence"),
        (http(200, {"intent": {"name": "a", "confidence": "1"}, "intent_ranking": []}), "intent.confidence"),
        (http(200, b'{"intent":{"name":"a","confidence":NaN},"intent_ranking":[]}'), "intent.confidence"),
        (http(200, parsed(("nlu_fallback", 0.5))), "ranks no intent"),
        (http(200, parsed(("greet", 0.9), ("deny", 0.1), top="deny")), "contradicts"),
        (http(500, {"reason": "ParsingError"}), "status 500"),
        (http(302, b""), "status 302"),
        (http(401, {"reason": "NotAuthenticated"}), "refused the token"),
        (http(409, {"reason": "Conflict"}), "no model"),
        (b"\x00\x01 rubbish\r\n\r\n", "failed"),
        (b"", "failed"),
        (http(200, b"[" * 1_000_000), "not JSON"),
        (http(200, parsed(("a\x00b", 1.0))), "intent.name"),
        (http(200, b'{"intent":{"name":"\\ud800","confidence":1},"intent_ranking":[]}'), "not a prediction"),
        (http(200, parsed(("a" * 501, 1.0))), "intent.name"),
    ],
)
async def test_what_is_not_an_answer_is_unavailable(answer: bytes, why: str) -> None:
    async with engine_for(always(answer)) as engine:
        with pytest.raises(EngineUnavailable, match=why):
            await engine.predict("hello")


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_answer_without_end_is_not_read_to_its_end(compressed: bool) -> None:
    sent = 0
    block = gzip.compress(bytes(64 * 1024 * 1024)) if compressed else bytes(1024 * 1024)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        coding = b"content-encoding: gzip\r\n" if compressed else b""
        writer.write(b"HTTP/1.1 200 OK\r\n%bconnection: close\r\n\r\n" % coding)
        with suppress(ConnectionError):
            while sent < 100 * 1024 * 1024:
                writer.write(block)
                await writer.drain()
                sent += len(block)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, RasaEngine(lambda: Endpoint(f"http://127.0.0.1:{port}", "s3cret"), 20) as engine:
        tracemalloc.start()
        try:
            with pytest.raises(EngineUnavailable, match="longer than 4 MB"):
                await engine.predict("hello")
            assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
        finally:
            tracemalloc.stop()
    assert sent < 30 * 1024 * 1024


async def test_the_error_does_not_quote_the_customer() -> None:
    async with engine_for(always(http(200, {"intent": {"name": "my seed phrase"}}))) as engine:
        with pytest.raises(EngineUnavailable) as caught:
            await engine.predict("my seed phrase")
    assert "seed" not in str(caught.value)


async def test_a_server_that_hangs_is_given_up() -> None:
    async def hang(_line: str, _body: bytes) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with engine_for(hang, timeout=0.2) as engine:
        with pytest.raises(EngineUnavailable, match=r"within 0\.2 seconds"):
            await asyncio.wait_for(engine.predict("hello"), 5)
        assert not await engine.healthy()


async def test_no_server() -> None:
    async with RasaEngine(lambda: Endpoint("http://127.0.0.1:1", "")) as engine:
        with pytest.raises(EngineUnavailable, match="not reachable"):
            await engine.predict("hello")
        assert not await engine.healthy()


async def test_an_endpoint_that_is_not_there_yet() -> None:
    def starting() -> Endpoint:
        raise EngineUnavailable("Rasa is starting.")

    async with RasaEngine(starting) as engine:
        with pytest.raises(EngineUnavailable, match="starting"):
            await engine.predict("hello")
        assert not await engine.healthy()


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("hello", "hello"),
        ("x" * 1500, "x" * 1000),
        ("/greet", "／greet"),
        ('  /foo{"a": 1}', '／foo{"a": 1}'),
        ("and/or", "and/or"),
        ("\ud83d half an emoji", "? half an emoji"),
    ],
)
async def test_what_rasa_is_sent(text: str, sent: str) -> None:
    seen = []

    async def respond(line: str, body: bytes) -> bytes:
        seen.append((line, json.loads(body)))
        return http(200, parsed(("greet", 1.0)))

    async with engine_for(respond) as engine:
        prediction = await engine.predict(text)
    assert seen == [("POST /model/parse?token=s3cret HTTP/1.1", {"text": sent})]
    assert prediction.text == text


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_nothing_to_classify(text: str) -> None:
    async with engine_for(always(b"")) as engine:
        with pytest.raises(ValueError, match="no text"):
            await engine.predict(text)


async def test_healthy() -> None:
    async def respond(line: str, _body: bytes) -> bytes:
        return http(200 if line.startswith("GET /status?token=s3cret ") else 404, {"model_file": "m"})

    async with engine_for(respond) as engine:
        assert await engine.healthy()


def test_the_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Endpoint("http://127.0.0.1", "s3cret"))
