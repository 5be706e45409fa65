"""Knows how Azure DevOps slows a caller down that asks too much: it says so in headers, and in the end refuses.

https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits. The real unit isn't published as requests: here
each counts as one.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime

from starlette.responses import Response

from local.azure import azuredevops_errors as errors
from local.azure.throttle import Windows


@dataclass
class RateLimit:
    """At most `requests` of a caller in `seconds` without a word; then headers, and from twice as many a 429."""

    requests: int
    seconds: float = 300.0
    windows: Windows = field(default_factory=Windows)

    def take(self, caller: str, now: datetime) -> None:
        """Count one request; raise ServiceError if it is too much."""
        wait = self.windows.take(caller, 2 * self.requests, self.seconds, now)
        if wait is not None:
            raise errors.blocked(wait)

    def tell(self, caller: str, response: Response, now: datetime) -> None:
        """Put the headers into an answer once there is something to say."""
        over = self.windows.used(caller, self.seconds) - self.requests
        if over > 0:
            delay = self.seconds * over / self.requests
            response.headers.update(errors.rate_limit_headers(math.ceil(delay), now, self.requests))
