"""What the gateway reads from its environment."""

from typing import ClassVar

from pydantic import Field, SecretStr

from api_gateway.accept.categories import CategoryLifetimes, CategoryOnUnknown
from shared.config import BrokerSettings, CacheSettings, DatabaseSettings, ServiceSettings
from shared.schemas.recoveries import Past


class GatewaySettings(ServiceSettings, DatabaseSettings, BrokerSettings, CacheSettings):
    """Settings of the gateway."""

    service_name: ClassVar[str] = "api_gateway"
    default_port: ClassVar[int] = 8000

    rate_limit_per_user: int = Field(
        default=100, ge=1, le=1_000_000, description="Notifications for one user in a window."
    )
    rate_limit_window: int = Field(default=60, ge=1, le=86_400, description="Seconds.")
    default_lifetime_hours: float = Field(
        default=24, gt=0, le=720, description="Lifetime of a notification without expires_at."
    )
    category_lifetimes: CategoryLifetimes = Field(
        default={}, description="Lifetimes by category: orders=2h,newsletter=7d; units s, m, h, d."
    )
    category_on_unknown: CategoryOnUnknown = Field(
        default={},
        description="Whether a send of unknown outcome is repeated: orders=resend,invoices=hold.",
    )
    reconcile_after: float = Field(
        default=300, gt=0, le=86_400, description="Seconds without progress: it is looked after."
    )
    reconcile_interval: float = Field(
        default=60, gt=0, le=3600, description="Seconds between two looks of the reconciler."
    )
    restored_from: Past | None = Field(
        default=None,
        description="When the backup was made that the database was restored from, with its zone.",
    )
    bootstrap_admin_key: SecretStr | None = Field(
        default=None,
        min_length=20,
        description="A first API key with scope admin, made at start if it does not exist.",
    )
    open_loopback: bool = Field(
        default=False, description="Calls from this machine need no key. For trying out only."
    )
