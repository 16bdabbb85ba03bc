"""Redis: versioned profiles, rate limits, paces, scripts; every use must survive its absence."""

from shared.cache.client import Cache
from shared.cache.limits import Allowance, RateLimiter, rate_limit_headers
from shared.cache.pace import Pace
from shared.cache.profiles import PROFILE_TTL_SECONDS, ProfileCache, profile_key
from shared.cache.script import Script

__all__ = [
    "PROFILE_TTL_SECONDS",
    "Allowance",
    "Cache",
    "Pace",
    "ProfileCache",
    "RateLimiter",
    "Script",
    "profile_key",
    "rate_limit_headers",
]
