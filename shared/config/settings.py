"""The settings that services share; each service adds its own in its `settings.py`."""

import os
import sys
from typing import ClassVar, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class _Settings(BaseSettings):
    """Variables are the field names in capitals; an empty one counts as not set."""

    # On a base of all: with several bases, one without it would bring the defaults back.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)


class ServiceSettings(_Settings):
    """What every service reads."""

    service_name: ClassVar[str]
    default_port: ClassVar[int]

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="Port; 0 takes the service's own.")
    listen_fd: int | None = Field(
        default=None, description="An inherited listening socket, in place of HOST and PORT."
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    internal_service_token: SecretStr = Field(
        min_length=16, description="The secret that services show each other."
    )
    grace_seconds: float = Field(
        default=20.0, gt=0, le=300, description="Time to finish what is in flight at SIGTERM."
    )
    circuit_breaker_failure_threshold: int = Field(default=5, ge=1)
    circuit_breaker_recovery_timeout: float = Field(default=60.0, gt=0)
    api_gateway_url: str = "http://127.0.0.1:8000"
    user_service_url: str = "http://127.0.0.1:8003"
    template_service_url: str = "http://127.0.0.1:8004"


class DatabaseSettings(_Settings):
    """PostgreSQL."""

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    database_pool_size: int = Field(default=8, ge=2, le=200)


class BrokerSettings(_Settings):
    """RabbitMQ."""

    rabbitmq_url: SecretStr = Field(description="amqp://user:password@host:port/")


class CacheSettings(_Settings):
    """Redis."""

    redis_url: SecretStr = Field(description="redis://host:port/0")


Settings = TypeVar("Settings", bound=ServiceSettings)


def load(settings: type[Settings]) -> Settings:
    """Reads the environment; on a wrong value it says which variable, and what is expected."""
    if "FCM_SERVER_KEY" in os.environ:
        sys.stderr.write(
            "FCM_SERVER_KEY is ignored: Google switched the legacy API off in 2024. Set "
            "FCM_CREDENTIALS_FILE to a service account's JSON file instead.\n"
        )
    try:
        return settings()
    except ValidationError as error:
        lines = [f"{settings.service_name} cannot start, its environment is wrong:"]
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0] if problem["loc"] else "?").upper()
            lines.append(f"  {name}: {problem['msg']}{_expected(settings, name.lower())}")
        sys.exit("\n".join(lines))


def _expected(settings: type[ServiceSettings], field: str) -> str:
    info = settings.model_fields.get(field)
    return f" ({info.description})" if info and info.description else ""
