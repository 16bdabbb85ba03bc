"""Who may do what: scopes of API keys, and the verified caller behind a request."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.schemas.vocabulary import Mode


class Scope(StrEnum):
    """What an API key allows; `admin` allows everything."""

    SEND = "send"
    READ = "read"
    TEMPLATES = "templates"
    USERS = "users"
    ADMIN = "admin"


class Caller(BaseModel):
    """The verified holder of an API key, or a neighbour service (`key_id` None)."""

    model_config = ConfigDict(frozen=True)

    key_id: int | None
    name: str
    scopes: frozenset[Scope]
    mode: Mode = Mode.LIVE

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


class KeyQuestion(BaseModel):
    """A neighbour asks the gateway whose key this is."""

    key: str


class KeyAnswer(BaseModel):
    """Who holds the key; None for an unknown or revoked one."""

    caller: Caller | None
