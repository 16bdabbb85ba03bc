"""Users, their preferences and devices, as clients say and hear them."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    SecretStr,
    StrictBool,
    StringConstraints,
    ValidationError,
)
from pydantic_core import CoreSchema, core_schema

from shared.schemas.addresses import Email, PhoneNumber
from shared.schemas.envelope import FieldError
from shared.schemas.profile import TargetKind
from shared.schemas.text import LanguageTag, LineText, without_control_characters

BULK_LIMIT = 1000

Value = TypeVar("Value")


def _never_null(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    (kind,) = (part for part in get_args(source) if part is not NoneType)
    return handler.generate_schema(kind)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


Omittable = Annotated[
    Value | None, GetPydanticSchema(_never_null), Field(json_schema_extra=_without_default)
]
"""A field that may be left out, but not be null; `model_fields_set` tells whether it came."""


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_timezone(value: str) -> str:
    if value not in _timezones():
        raise ValueError("is not a time zone of the IANA database, such as Europe/Berlin")
    return value


def _composed(value: str) -> str:
    return unicodedata.normalize("NFC", value)


Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(without_control_characters),
    AfterValidator(_composed),
]
"""A name that a user goes by; unique, whatever its case."""

Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]
"""Kept only as an argon2 hash, and never returned."""

TimezoneName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_timezone)]
"""A time zone of the IANA database."""

DeviceToken = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,2048}$")]
"""What a push provider calls a device: visible ASCII."""


class Preferences(BaseModel):
    """What a user allows, and how they want to be spoken to."""

    email_enabled: bool = True
    push_enabled: bool = True
    sms_enabled: bool = True
    push_token: str | None = Field(
        default=None, description="The newest active FCM token among the user's devices."
    )
    language: str | None = Field(default=None, examples=["en"])
    timezone: str | None = Field(default=None, examples=["Europe/Berlin"])


class PreferencesChange(BaseModel):
    """Only what is given changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email_enabled": True,
                    "push_enabled": False,
                    "language": "en",
                    "timezone": "Europe/Berlin",
                }
            ]
        }
    )

    email_enabled: Omittable[StrictBool] = None
    push_enabled: Omittable[StrictBool] = None
    sms_enabled: Omittable[StrictBool] = None
    push_token: DeviceToken | None = Field(
        default=None, description="Registers a device of kind `fcm_token`; null changes nothing."
    )
    language: LanguageTag | None = Field(default=None, description="BCP 47; null clears it.")
    timezone: TimezoneName | None = Field(
        default=None, description="IANA name, such as `Europe/Berlin`; null clears it."
    )


class User(BaseModel):
    """One person who can be notified."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    phone_number: str | None = Field(default=None, description="E.164.")
    external_id: str | None = Field(default=None, description="The client's own id of the person.")
    active: bool = Field(description="Whether notifications are sent; else `user_inactive`.")
    version: int = Field(description="Grows with every change of user, preferences or devices.")
    created_at: datetime
    updated_at: datetime


class NewUser(BaseModel):
    """A person to be notified."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "username": "johndoe",
                    "email": "john.doe@example.com",
                    "password": "correct horse battery",
                    "phone_number": "+14155552671",
                }
            ]
        }
    )

    username: Username
    email: Email
    password: Password | None = None
    phone_number: PhoneNumber | None = None
    external_id: LineText | None = Field(
        default=None, description="The client's own id of the person; unique."
    )
    preferences: PreferencesChange | None = None


class UserChange(BaseModel):
    """Only what is given changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "john@example.com"}]})

    username: Omittable[Username] = None
    email: Omittable[Email] = None
    password: Omittable[Password] = None
    phone_number: PhoneNumber | None = Field(default=None, description="null clears it.")
    external_id: LineText | None = Field(default=None, description="null clears it.")
    active: Omittable[StrictBool] = Field(
        default=None, description="false: every notification is skipped as `user_inactive`."
    )


class BulkUser(BaseModel):
    """A person to be made, or updated where the `external_id` is known; only what is given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "external_id": "user-123",
                    "username": "johndoe",
                    "email": "john.doe@example.com",
                    "preferences": {"language": "en", "sms_enabled": False},
                }
            ]
        }
    )

    external_id: LineText
    username: Omittable[Username] = Field(default=None, description="Needed for a new user.")
    email: Omittable[Email] = Field(default=None, description="Needed for a new user.")
    phone_number: PhoneNumber | None = Field(default=None, description="null clears it.")
    active: Omittable[StrictBool] = None
    preferences: Omittable[PreferencesChange] = None


@dataclass(frozen=True, slots=True)
class UnusableItem:
    """An entry of a bulk request that is wrong in itself; it fails alone."""

    external_id: str | None
    fields: tuple[FieldError, ...]


def _judged_alone(
    value: Any, validate: core_schema.ValidatorFunctionWrapHandler
) -> BulkUser | UnusableItem:
    try:
        item: BulkUser = validate(value)
    except ValidationError as error:
        named = value.get("external_id") if isinstance(value, dict) else None
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        return UnusableItem(
            external_id=named if isinstance(named, str) else None,
            fields=tuple(
                FieldError(
                    path=".".join(map(str, p["loc"])),
                    problem=p["msg"].removeprefix("Value error, "),
                )
                for p in problems
            ),
        )
    return item


def _entry_schema(_source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    return core_schema.no_info_wrap_validator_function(
        _judged_alone, handler.generate_schema(BulkUser)
    )


BulkItem = Annotated[BulkUser | UnusableItem, GetPydanticSchema(_entry_schema)]


class BulkUsers(BaseModel):
    """Up to 1,000 people at once."""

    users: list[BulkItem] = Field(min_length=1, max_length=BULK_LIMIT)


class BulkResult(StrEnum):
    """What became of one entry."""

    CREATED = "created"
    UPDATED = "updated"
    FAILED = "failed"


class BulkEntry(BaseModel):
    """The result for one entry; entries keep the request's order."""

    external_id: str | None
    user_id: int | None = None
    result: BulkResult
    reason: str | None = Field(default=None, description="Why it failed, in one sentence.")
    fields: list[FieldError] = Field(default_factory=list)


class BulkAnswer(BaseModel):
    """A result for each entry, and their counts."""

    created: int
    updated: int
    failed: int
    results: list[BulkEntry]


class NewDevice(BaseModel):
    """A device to send pushes to; a token that another user had moves to this one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "fcm_token", "value": "fGk3:APA91bHexample"}]}
    )

    kind: TargetKind = TargetKind.FCM_TOKEN
    value: DeviceToken


class Device(BaseModel):
    """A device that pushes are sent to."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: TargetKind
    value: str
    active: bool = Field(description="false: its push provider called the token dead.")
    dead_since: datetime | None = None
    created_at: datetime
    updated_at: datetime
