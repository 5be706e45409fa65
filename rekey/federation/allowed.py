"""What this function app may be asked for of service connections: by its duty, its other settings, and who asks."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from rekey import spans
from rekey.errors import InputError, ScopeError
from rekey.federation.resolving import is_named
from rekey.federation_settings import MODES, Duty
from rekey.model.federation_request import FederationRequest, Mode, Target, VendingRequest
from rekey.model.policy import Span
from rekey.operator_requests import RefusedError, parsed, requester
from rekey.settings import Settings

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=30)
"""Of a soak."""


def federation(payload: dict[str, Any], caller: str, settings: Settings) -> FederationRequest:
    """Return the one federation a body asks for, in the caller's name; RefusedError and ScopeError name the field."""
    request = parsed(FederationRequest.parse, payload)
    asked(request, settings)
    if request.target is Target.MANAGED_IDENTITY:
        _named(caller, "the new connection's identity gets the roles of the old one's")
    return replace(request, requested_by=requester(caller))


def vending(payload: dict[str, Any], caller: str, settings: Settings) -> VendingRequest:
    """Return the one connection that a body asks to be made, likewise; 409 where nothing is vended."""
    if settings.federating.vending is None:
        said = f"connections are made by the function app whose REKEY_DUTY is {Duty.VENDING}: this one's is "
        raise RefusedError(409, "not-vending", f"{said}{settings.federating.duty}")
    request = parsed(VendingRequest.parse, payload)
    may(Mode.VEND, settings)
    in_scope(request.organization, request.project, settings)
    _named(caller, "its identity gets a role")
    return replace(request, requested_by=requester(caller))


def asked(request: FederationRequest, settings: Settings) -> Span:
    """Check what can be judged of a request without asking anybody, and return how long its soak is."""
    if request.mode is Mode.VEND:
        raise InputError("mode", request.mode.value, "in-place, side-by-side or repair: vend_service_connection vends")
    may(request.mode, settings)
    in_scope(request.organization, request.project, settings)
    return soak(request)


def soak(request: FederationRequest) -> Span:
    """Return how long the way back is to stay open; InputError if that is too short or too long."""
    found = spans.parse(request.soak)
    if not SHORTEST <= spans.length(found) <= LONGEST:
        raise InputError("soak", request.soak, "an ISO 8601 duration from PT1S to P30D")
    return found


def may(mode: Mode, settings: Settings) -> None:
    """Refuse what this function app isn't there for, or isn't allowed: a ScopeError says which setting allows it."""
    here = settings.federating
    if mode in here.modes:
        return
    duty = next(duty for duty, modes in MODES.items() if mode in modes)
    setting = (
        f"REKEY_FEDERATION of this function app has to name {mode}"
        if duty is here.duty
        else f"{mode} is for the function app whose REKEY_DUTY is {duty}"
    )
    raise ScopeError("mode", mode.value, f"{_either(here.modes)}: {setting}")


def in_scope(organization: str, project: str, settings: Settings) -> None:
    """Refuse a project that no scope has; which applications a scope has beside it is judged later."""
    if not any(scope.has_project(organization, project) for scope in settings.scopes):
        raise ScopeError("project", f"{organization}/{project}", "a project of an organization in REKEY_SCOPES")


def _either(modes: tuple[Mode, ...]) -> str:
    return f"one of {', '.join(modes)}" if modes else "nothing, since none is allowed"


def _named(caller: str, why: str) -> None:
    """Somebody else has to approve what grants a role, and somebody else than nobody is nobody."""
    if not is_named(requester(caller)):
        advice = "Put Entra authentication in front of the function app, and sign in (--audience)."
        said = f"{why}, which somebody else has to approve: who asks for that has to have a name. {advice}"
        raise RefusedError(403, "nameless", said)
