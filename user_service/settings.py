"""What the user service reads from its environment."""

from typing import ClassVar

from shared.config import CacheSettings, DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings, CacheSettings):
    """The chassis's settings, and nothing more."""

    service_name: ClassVar[str] = "user_service"
    default_port: ClassVar[int] = 8003
