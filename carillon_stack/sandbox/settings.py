"""The sandbox's environment, read once."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SandboxSettings(BaseSettings):
    """`SANDBOX_*` variables; ports are TCP ports on `host`."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    smtp_port: int = Field(ge=0, le=65535)
    data: Path
    """The folder that everything received is kept in."""
    fcm_credentials: Path
    """The service account's JSON file that push senders use."""
    twilio_sid: str
    twilio_token: SecretStr
    smtp_user: str | None = None
    """With `smtp_password`: the only login taken, and one is needed."""
    smtp_password: SecretStr = SecretStr("")
    listen_fd: int | None = Field(default=None, ge=0, validation_alias="LISTEN_FD")
    """An inherited listening socket to serve HTTP on in place of `port`."""
