"""What calls that write may carry. In a change only what is given changes; None clears."""

from collections.abc import Mapping, Sequence
from typing import Required, TypedDict

from shared.schemas.vocabulary import Channel


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
