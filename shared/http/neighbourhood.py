"""Where the other services of the suite are, from the settings."""

from typing import Literal

from shared.config import ServiceSettings
from shared.errors import NeighbourUnavailable
from shared.http.neighbour import Neighbour
from shared.resilience.breaker import Breaker

# Our own services are back within seconds of a restart; a provider's outage takes longer.
_RECOVERY_SECONDS = 5.0


def neighbour(
    settings: ServiceSettings,
    name: Literal["api_gateway", "user_service", "template_service"],
    *,
    timeout: float = 2.0,
) -> Neighbour:
    """A client to the service `name`, with a breaker of its own."""
    breaker = Breaker(
        name,
        failures=settings.circuit_breaker_failure_threshold,
        recovery_seconds=min(_RECOVERY_SECONDS, settings.circuit_breaker_recovery_timeout),
        counts=(NeighbourUnavailable,),
    )
    url: str = getattr(settings, f"{name}_url")
    token = settings.internal_service_token.get_secret_value()
    return Neighbour(name, url, token, timeout=timeout, breaker=breaker)
