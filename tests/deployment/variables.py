"""What the services read from their environment, derived from their settings."""

import re
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from api_gateway.settings import GatewaySettings
from email_service.settings import EmailSettings
from push_service.settings import PushSettings
from shared.config import ServiceSettings
from sms_service.settings import SmsSettings
from template_service.settings import Settings as TemplateSettings
from user_service.settings import Settings as UserSettings

ROOT = Path(__file__).parents[2]

SETTINGS: dict[str, type[ServiceSettings]] = {
    kind.service_name: kind
    for kind in (
        GatewaySettings,
        EmailSettings,
        PushSettings,
        UserSettings,
        TemplateSettings,
        SmsSettings,
    )
}

REQUIRED = "required"


def of_service(name: str) -> dict[str, str]:
    """Each variable of a service and its default, as a person writes it; empty where none is."""
    return {field.upper(): _written(info) for field, info in SETTINGS[name].model_fields.items()}


def of_all() -> dict[str, str]:
    """The same of all services together."""
    return {name: default for kind in SETTINGS for name, default in of_service(kind).items()}


def in_example() -> dict[str, str]:
    """The variables of `.env.example` and what stands behind them."""
    text = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))


def _written(info: FieldInfo) -> str:
    if info.is_required():
        return REQUIRED
    match info.default:
        case SecretStr():
            return info.default.get_secret_value()
        case None | dict():
            return ""
        case bool():
            return str(info.default).lower()
        case float():
            return f"{info.default:g}"
        case other:
            return str(other)
