"""Settings: environment variables, read once into a frozen object."""

from shared.config.settings import (
    BrokerSettings,
    CacheSettings,
    DatabaseSettings,
    ServiceSettings,
    load,
)

__all__ = ["BrokerSettings", "CacheSettings", "DatabaseSettings", "ServiceSettings", "load"]
