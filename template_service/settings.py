"""What the template service reads from its environment."""

from typing import ClassVar

from shared.config import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings):
    """The template service's settings."""

    service_name: ClassVar[str] = "template_service"
    default_port: ClassVar[int] = 8004
