"""API keys as operators make and list them."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.access import Scope
from shared.schemas.text import LineText
from shared.schemas.vocabulary import Mode


class ApiKeyCreate(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "shop backend", "scopes": ["send", "read"], "mode": "live"}]
        },
    )

    name: LineText
    scopes: set[Scope] = Field(min_length=1)
    mode: Mode = Field(
        default=Mode.LIVE, description="`test` keys accept everything and send nothing."
    )


class ApiKey(BaseModel):
    """A key without its secret."""

    id: int
    name: str
    prefix: str = Field(description="The key's first characters, to tell it from others.")
    scopes: list[Scope]
    mode: Mode
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiKeyMade(ApiKey):
    """A new key: the only time that it is shown."""

    key: str
