"""What calls that write may carry. In a change only what is given changes; None clears."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Required, TypedDict
from uuid import UUID

from shared.schemas.profile import TargetKind
from shared.schemas.vocabulary import Channel, Priority, Reason


class PreferencesFields(TypedDict, total=False):
    """What a user allows, and how they want to be spoken to."""

    email_enabled: bool
    push_enabled: bool
    sms_enabled: bool
    push_token: str
    language: str | None
    timezone: str | None


class NewUserFields(TypedDict, total=False):
    """A person to be notified."""

    username: Required[str]
    email: Required[str]
    password: str
    phone_number: str | None
    external_id: str | None
    preferences: PreferencesFields


class UserFields(TypedDict, total=False):
    """What may change about a user."""

    username: str
    email: str
    password: str
    phone_number: str | None
    external_id: str | None
    active: bool


class BulkUserFields(TypedDict, total=False):
    """A person to be made, or updated where the `external_id` is known."""

    external_id: Required[str]
    username: str
    email: str
    phone_number: str | None
    active: bool
    preferences: PreferencesFields


class TemplateTexts(TypedDict, total=False):
    """The texts of a template; which of them it has depends on its channel."""

    subject: str | None
    title: str | None
    body_text: str | None
    body_html: str | None
    data: Mapping[str, str] | None
    image_url: str | None
    action_url: str | None
    variables: Sequence[str] | None
    sensitive: Sequence[str] | None


class NewTemplateFields(TemplateTexts, total=False):
    """A template in one language."""

    template_id: Required[str]
    name: Required[str]
    channel: Required[Channel | str]
    language: str


class TemplateFields(TemplateTexts, total=False):
    """What may change about a template: texts make a new version."""

    name: str
    active: bool


class ContentFields(TypedDict, total=False):
    """What one user, or many, are told; a channel and a template at least."""

    channel: Channel | str
    template_id: str
    variables: Mapping[str, Any]
    priority: Priority | str
    category: str | None
    locale: str | None
    metadata: Mapping[str, Any]
    expires_at: datetime | None


class NotificationFields(ContentFields, total=False):
    """One notification of a batch."""

    user_id: Required[int]
    request_id: str | None


class DeadLetterFields(TypedDict, total=False):
    """Which dead letters are meant: those that fit everything that is given."""

    reason: Reason | str | None
    channel: Channel | str | None
    template_id: str | None
    provider: str | None
    user_id: int | None
    batch_id: UUID | str | None
    since: datetime | None
    until: datetime | None


class PushAddressFields(TypedDict, total=False):
    """What a push provider calls a device."""

    kind: TargetKind | str
    value: Required[str]


class RecipientFields(TypedDict, total=False):
    """One address, of the notification's channel."""

    email: str
    phone: str
    push: PushAddressFields
