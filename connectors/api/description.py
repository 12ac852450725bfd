"""The contract as OpenAPI, from the models of ``wire``. Nothing is served or checked by it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, FastAPI, Header

from connectors.api.intake import PREFIX
from connectors.api.wire import (
    Event,
    NoticeBody,
    NoticeTaken,
    OutDelete,
    OutEdit,
    OutMessage,
    OutPing,
    OutTyping,
    Refusal,
    Shown,
    Taken,
    Upload,
    Uploaded,
)

VERSION = "1"

_Id = Annotated[str, Header(alias="webhook-id", description="The id of what is brought: the same at every try.")]
_At = Annotated[int, Header(alias="webhook-timestamp", description="Unix time of this try, in seconds.")]
_Signature = Annotated[
    str, Header(alias="webhook-signature", description="v1,<base64 of HMAC-SHA256 of id.timestamp.body>")
]


def openapi() -> dict[str, Any]:
    """OpenAPI 3.1: ``paths`` are what an app calls, ``webhooks`` what it is called with."""
    app = FastAPI(title="Switchboard: channel by API", version=VERSION, openapi_url=None)
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal} for status in (400, 401, 403, 404, 413, 422, 429, 503)
    }

    @app.post(f"{PREFIX}/events", responses=refusals | {409: {"model": Refusal}})
    async def events(app: str, id: _Id, at: _At, signature: _Signature, event: Annotated[Event, Body()]) -> Taken:
        """What a customer did."""
        raise NotImplementedError

    @app.post(f"{PREFIX}/files", status_code=201, responses=refusals)
    async def files(app: str, id: _Id, at: _At, signature: _Signature, upload: Upload) -> Uploaded:
        """A file that a message will name."""
        raise NotImplementedError

    @app.post(f"{PREFIX}/notices", responses=refusals | {409: {"model": Refusal}})
    async def notices(app: str, id: _Id, at: _At, signature: _Signature, notice: NoticeBody) -> NoticeTaken:
        """What the desk is to say to a customer."""
        raise NotImplementedError

    @app.webhooks.post("message")
    async def message(id: _Id, at: _At, signature: _Signature, body: OutMessage) -> Shown:
        """Show this to the customer."""
        raise NotImplementedError

    def silent(name: str, model: type) -> None:
        async def webhook(id: _Id, at: _At, signature: _Signature, body: Any) -> None:
            raise NotImplementedError

        webhook.__annotations__["body"] = model
        webhook.__doc__ = model.__doc__
        app.webhooks.add_api_route(name, webhook, methods=["POST"], name=name, status_code=204)

    for name, model in (("edit", OutEdit), ("delete", OutDelete), ("typing", OutTyping), ("ping", OutPing)):
        silent(name, model)
    described = app.openapi()
    for webhook in described["webhooks"].values():
        del webhook["post"]["responses"]["422"]  # FastAPI's own, which nobody answers here
    for unused in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(unused, None)
    return described
