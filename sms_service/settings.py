"""The SMS service's environment."""

from typing import ClassVar

from pydantic import Field, SecretStr

from shared.delivery import DeliverySettings, SendRate


class SmsSettings(DeliverySettings):
    """Everything about Twilio; without the first three, texts wait."""

    service_name: ClassVar[str] = "sms_service"
    default_port: ClassVar[int] = 8005

    twilio_account_sid: str | None = Field(
        default=None, pattern="^AC[0-9a-fA-F]{32}$", description="AC and 32 hexadecimal digits."
    )
    twilio_auth_token: SecretStr | None = Field(default=None)
    twilio_from: str | None = Field(
        default=None,
        pattern=r"^(\+[1-9]\d{6,14}|MG[0-9a-fA-F]{32})$",
        description="A number in E.164, such as +14155552671, or a Messaging Service (MG…).",
    )
    twilio_rate_per_second: SendRate | None = Field(
        default=None, description="Texts a second of all workers together."
    )
    twilio_api_url: str = Field(default="https://api.twilio.com", pattern="^https?://")

    @property
    def missing(self) -> list[str]:
        """The variables that must be set before a text can go out."""
        wanted = {
            "TWILIO_ACCOUNT_SID": self.twilio_account_sid,
            "TWILIO_AUTH_TOKEN": self.twilio_auth_token,
            "TWILIO_FROM": self.twilio_from,
        }
        return [name for name, value in wanted.items() if not value]
