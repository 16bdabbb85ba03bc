"""The push service's environment."""

from typing import ClassVar

from pydantic import Field, FilePath, field_validator

from push_service.fcm.account import ServiceAccount
from shared.delivery import DeliverySettings, SendRate


class PushSettings(DeliverySettings):
    """Everything about Firebase; without FCM_CREDENTIALS_FILE push messages wait."""

    service_name: ClassVar[str] = "push_service"
    default_port: ClassVar[int] = 8002

    fcm_credentials_file: FilePath | None = Field(
        default=None, description="A service account's JSON file from the Firebase console."
    )
    fcm_project_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9:._-]{1,100}$",
        description="By default the project of the service account.",
    )
    fcm_rate_per_second: SendRate | None = Field(
        default=None, description="Pushes a second of all workers together."
    )
    fcm_api_url: str = Field(default="https://fcm.googleapis.com", pattern="^https?://")

    @field_validator("fcm_credentials_file")
    @classmethod
    def _is_service_account(cls, value: FilePath | None) -> FilePath | None:
        if value is not None:
            ServiceAccount.from_file(value)
        return value

    @property
    def account(self) -> ServiceAccount | None:
        """The service account, where one is set."""
        path = self.fcm_credentials_file
        return None if path is None else ServiceAccount.from_file(path)
