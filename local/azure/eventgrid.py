"""Stands for Event Grid: watches the simulated vaults and puts their events into a storage queue."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure.cloud import Cloud
from local.azure.eventgrid_delivery import Deliveries, Subscription
from local.azure.eventgrid_state import Kind, Raised, Schema, Subject
from local.azure.keyvault_state import RefusedError, Secret, Vault, Version
from local.azure.seeds import parsed
from local.azure.wire import ServiceError


class SubscriptionSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `events` part of a seed: one subscription for all vaults. `encoding` is what the queue's text is in."""

    connection_string: str
    queue: str
    encoding: Literal["base64", "plain"] = "base64"
    schema: Schema = Schema.EVENT_GRID
    duplicates: bool = True


class RaiseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `POST /_sim/events/raise` takes; no version means the latest."""

    vault: str
    secret: str
    version: str = ""
    type: Literal["SecretNearExpiry", "SecretExpired", "SecretNewVersionCreated"] = "SecretNearExpiry"


class EventGrid:
    """One event subscription over every vault; only versions stored after it exist cause events."""

    name = "eventgrid"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._raised = Raised()
        self._deliveries = Deliveries(lambda vault: cloud.url(f"{vault}.vault"))
        self._subscription: Subscription | None = None

    def serves(self, host: str) -> bool:
        """Answer no host: Event Grid only delivers."""
        del host
        return False

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing."""
        return []

    def control_routes(self) -> Sequence[BaseRoute]:
        """Return what this service adds to the control API."""
        return [Route("/_sim/events/raise", self._raise_by_hand, methods=["POST"])]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return a 429, which nobody gets to see."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return ServiceError(429, {"error": {"code": "TooManyRequests", "message": "Too many requests."}}, headers)

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx, which nobody gets to see."""
        return ServiceError(status, {"error": {"code": "InternalServerError", "message": "Internal error."}})

    def seed(self, document: dict[str, Any]) -> None:
        """Take the `events` part: from now on there is a subscription, in place of an earlier one."""
        if "events" not in document:
            return
        seed = parsed(document["events"], SubscriptionSeed, "events")
        self._subscription = Subscription(
            connection_string=seed.connection_string,
            queue=seed.queue,
            base64=seed.encoding == "base64",
            schema=seed.schema,
            duplicates=seed.duplicates,
        )

    def state(self) -> dict[str, Any]:
        """Return the events raised, and every copy's delivery with its attempts and last error."""
        return {
            "events": [
                {
                    "id": event.id,
                    "type": str(event.kind),
                    "vault": event.subject.vault.name,
                    "secret": event.subject.secret.name,
                    "version": event.subject.version.id,
                    "at": event.at.isoformat(),
                }
                for event in self._raised.events
            ],
            "deliveries": [delivery.told() for delivery in self._deliveries.made],
        }

    def version_stored(self, vault: Vault, secret: Secret, version: Version) -> None:
        """Hear of a new version, whoever stored it."""
        if self._subscription is not None:
            events = self._raised.stored(Subject(vault, secret, version), self._cloud.clock.now())
            self._deliveries.send(self._subscription, events)

    def time_moved(self) -> None:
        """Raise what has fallen due."""
        if self._subscription is not None:
            self._deliveries.send(self._subscription, self._raised.due(self._cloud.clock.now()))

    async def settled(self) -> None:
        """Return when every delivery under way has ended."""
        await self._deliveries.settled()

    async def aclose(self) -> None:
        """Give up the deliveries under way."""
        await self._deliveries.aclose()

    async def _raise_by_hand(self, request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await request.body(), type=RaiseRequest)
            subject = self._subject(wanted)
            if self._subscription is None:
                raise ValueError("events: nobody subscribed, seed `events` first")  # noqa: TRY301 - one way to say no
        except (msgspec.DecodeError, ValueError) as problem:
            return JSONResponse({"error": str(problem)}, 400)
        kind = Kind(f"Microsoft.KeyVault.{wanted.type}")
        event = self._raised.by_hand(kind, subject, self._cloud.clock.now())
        self._deliveries.send(self._subscription, [event])
        return JSONResponse({"id": event.id})

    def _subject(self, wanted: RaiseRequest) -> Subject:
        """Return what an event is about; a version that doesn't exist is allowed, as in a forged event."""
        vault = self._cloud.keyvault.vaults.get(wanted.vault.lower())
        if vault is None:
            raise ValueError(f"vault: got {wanted.vault!r}, expected one of {sorted(self._cloud.keyvault.vaults)}")
        try:
            secret = vault.secret(wanted.secret)
        except RefusedError as refused:
            raise ValueError(f"secret: got {wanted.secret!r}: {refused.reason}") from None
        known = {version.id: version for version in secret.versions}
        version = known.get(wanted.version.lower()) if wanted.version else secret.latest
        return Subject(vault, secret, version or Version("", 0, 0, id=wanted.version))
