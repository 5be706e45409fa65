"""Knows how the simulated Entra signs access tokens and what makes one acceptable."""

import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local.azure.clock import Clock
from local.azure.wire import Caller

if TYPE_CHECKING:
    from jwt.types import Options

_ALGORITHM = "RS256"


@dataclass(frozen=True)
class Subject:
    """Whom a token is issued to, and for which resource."""

    tenant: str
    client_id: str
    object_id: str
    audience: str
    app_roles: frozenset[str]


@dataclass(frozen=True)
class Assertion:
    """What a federated assertion says of a workload."""

    issuer: str
    subject: str
    audience: str
    expired: bool


class Tokens:
    """The signing key of the simulated Entra; tokens age by real time, also when the simulated clock is moved.

    A client judges its cached token by the machine's clock. If moving the simulated clock aged tokens, every
    client would go on sending tokens that it holds for good.
    """

    def __init__(self, clock: Clock, issuer: str) -> None:
        self._clock = clock
        self._issuer = issuer
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = uuid.uuid4().hex

    def issue(self, subject: Subject, lifetime: int) -> str:
        """Return a signed token that is valid for `lifetime` seconds."""
        now = int(self._clock.now().timestamp())
        claims = {
            "aud": subject.audience,
            "iss": f"{self._issuer}/{subject.tenant}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "appid": subject.client_id,
            "azp": subject.client_id,
            "idtyp": "app",
            "oid": subject.object_id,
            "sub": subject.object_id,
            "tid": subject.tenant,
            "roles": sorted(subject.app_roles),
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
            "sim_machine_exp": time.time() + lifetime,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._kid})

    def assertion(self, issuer: str, subject: str, audience: str, lifetime: int) -> str:
        """Return what a trusted issuer asserts about a workload, for `lifetime` seconds: a federated assertion."""
        now = int(self._clock.now().timestamp())
        claims = {
            "aud": audience,
            "iss": issuer,
            "sub": subject,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "jti": uuid.uuid4().hex,
            "sim_machine_exp": time.time() + lifetime,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._kid})

    def asserted(self, assertion: str) -> Assertion:
        """Return what an assertion says; a ValueError says why its signature is refused.

        All issuers sign with the one key of this cloud, Entra's own tokens included: a managed identity's token for
        the exchange is an assertion too.
        """
        claims = self._claims(assertion)
        return Assertion(claims["iss"], claims["sub"], claims["aud"], claims["sim_machine_exp"] <= time.time())

    def caller(self, token: str, audiences: Collection[str], tenant: str) -> Caller:
        """Return whom a token speaks for; a ValueError says why it is refused."""
        claims = self._claims(token)
        if claims["sim_machine_exp"] <= time.time():
            raise ValueError("the token has expired")
        accepted = {audience.rstrip("/") for audience in audiences}
        if claims["aud"].rstrip("/") not in accepted:
            raise ValueError(f"the token is for audience {claims['aud']}")
        if claims["tid"] != tenant:
            raise ValueError(f"the token is from tenant {claims['tid']}")
        return Caller(claims["oid"], claims["appid"], claims["tid"], frozenset(claims["roles"]))

    def client_id(self, token: str) -> str | None:
        """Return the client id of a token this key signed, whatever its audience or age; None otherwise."""
        try:
            claims = self._claims(token)
        except ValueError:
            return None
        return str(claims["appid"]) if "appid" in claims else None

    def public_keys(self) -> dict[str, Any]:
        """Return the JSON Web Key Set of the signing key."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self._kid, "x5t": self._kid, "use": "sig", "issuer": self._issuer}]}

    def _claims(self, token: str) -> dict[str, Any]:
        unchecked: Options = {"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False}
        try:
            return jwt.decode(token, self._key.public_key(), algorithms=[_ALGORITHM], options=unchecked)
        except jwt.PyJWTError as error:
            raise ValueError(f"the token is not one of this Entra: {error}") from None
