"""Templates as clients write, read and try them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from shared.schemas.text import LanguageTag, LineText, Slug, without_control_characters
from shared.schemas.vocabulary import Channel

MAX_BODY = 64 * 1024


def conventional_language(tag: str) -> str:
    """The tag in its usual capitals (`pt-BR`, `zh-Hant-TW`), so that equal tags are equal texts.

    Source: RFC 5646, section 2.1.1.
    """
    language, *rest = tag.lower().split("-")
    shaped = [language]
    for part in rest:
        if len(part) == 2:
            shaped.append(part.upper())
        else:
            shaped.append(part.title() if len(part) == 4 else part)
    return "-".join(shaped)


Language = Annotated[LanguageTag, AfterValidator(conventional_language)]
"""A language tag, brought to its usual capitals."""

VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""The number of a version; it counts over all languages of a template."""

VariableName = Annotated[str, StringConstraints(pattern=r"^[^\W\d]\w{0,99}$")]
"""The name of a variable, as it may stand between `{{` and `}}`."""

HeaderSource = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000),
    AfterValidator(without_control_characters),
]
"""Template text of one line."""

AddressSource = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000),
    AfterValidator(without_control_characters),
]
"""Template text of an address."""

BodySource = Annotated[str, StringConstraints(min_length=1, max_length=MAX_BODY)]
"""Template text of any number of lines."""

DataKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(without_control_characters),
]
DataSource = Annotated[str, StringConstraints(max_length=4096)]


class Sources(BaseModel):
    """The texts of a template. Which of them it has depends on its channel."""

    subject: HeaderSource | None = Field(
        default=None, description="Email, required.", examples=["Welcome {{name}}!"]
    )
    title: HeaderSource | None = Field(default=None, description="Push, required.")
    body_text: BodySource | None = Field(
        default=None,
        description="Every channel, required.",
        examples=["Hello {{name}}, welcome!"],
    )
    body_html: BodySource | None = Field(
        default=None, description="Email. Variables are escaped in it."
    )
    data: dict[DataKey, DataSource] | None = Field(
        default=None, max_length=50, description="Push: key to template text, for the application."
    )
    image_url: AddressSource | None = Field(default=None, description="Push.")
    action_url: AddressSource | None = Field(
        default=None, description="Push: what opens when the person taps."
    )


Variables = Annotated[list[VariableName], Field(max_length=200)]


class NewTemplate(Sources):
    """A template in one language; the same `template_id` may be given again in another."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "template_id": "welcome_email",
                    "name": "Welcome",
                    "channel": "email",
                    "subject": "Welcome {{name}}!",
                    "body_text": "Hello {{name}}, welcome!",
                    "variables": ["name"],
                    "language": "en",
                }
            ]
        }
    )

    template_id: Slug = Field(examples=["welcome_email"])
    name: LineText = Field(description="For people.", examples=["Welcome"])
    channel: Channel
    variables: Variables | None = Field(
        default=None,
        description="What a request must give; left out, all that the texts use. Where a text "
        "has a default for a variable, name only the others.",
        examples=[["name"]],
    )
    sensitive: Variables | None = Field(
        default=None,
        description="Which variables are secrets, such as codes and links: shown as `***`, and "
        "forgotten once the notification has a final status.",
        examples=[[]],
    )
    language: Language = Field(default="en", examples=["en"])


class TemplateChange(Sources):
    """What shall be different: fields not given keep their value, `null` removes an optional one.

    A change of texts, name, variables or secrets makes a new version; `active` alone makes none.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"subject": "Welcome aboard, {{name}}!"}]}
    )

    name: LineText | None = None
    variables: Variables | None = Field(default=None, description="`null`: all that the texts use.")
    sensitive: Variables | None = Field(
        default=None, description="Which variables are secrets; `null`: none."
    )
    channel: Channel | None = Field(
        default=None, description="May be repeated, and cannot be changed."
    )
    language: Language | None = Field(
        default=None, description="Which language is changed; the same as in the query."
    )
    active: bool | None = Field(default=None, description="`true` brings a deactivated one back.")


class TemplateVersion(BaseModel):
    """One version: a template's texts in one language, never changed once it exists."""

    template_id: str = Field(examples=["welcome_email"])
    version: int = Field(description="Counts over all languages.", examples=[1])
    language: str = Field(examples=["en"])
    channel: Channel
    name: str = Field(examples=["Welcome"])
    subject: str | None = Field(default=None, examples=["Welcome {{name}}!"])
    title: str | None = None
    body_text: str | None = Field(default=None, examples=["Hello {{name}}, welcome!"])
    body_html: str | None = None
    data: dict[str, str] | None = None
    image_url: str | None = None
    action_url: str | None = None
    variables: list[str] = Field(description="What a request must give.", examples=[["name"]])
    undeclared_variables: list[str] = Field(
        description="Used by the texts but not declared: rendering fails where one is needed "
        "and not given."
    )
    sensitive: list[str] = Field(description="Variables that are secrets.", examples=[[]])
    created_at: datetime = Field(description="When this version was saved.")


class Template(TemplateVersion):
    """A template as it stands, in one of its languages."""

    active: bool = Field(description="A deactivated template sends nothing.")
    latest_version: int = Field(description="The newest in any language.", examples=[1])
    languages: list[str] = Field(
        description="The first is the one shown where no wanted language exists.",
        examples=[["en"]],
    )
    updated_at: datetime


class TemplateSummary(BaseModel):
    """A template in a list."""

    template_id: str = Field(examples=["welcome_email"])
    name: str = Field(description="In the template's first language.", examples=["Welcome"])
    channel: Channel
    active: bool
    latest_version: int
    languages: list[str]
    created_at: datetime
    updated_at: datetime


class VersionSummary(BaseModel):
    """A version in a list."""

    version: int
    language: str
    name: str
    variables: list[str]
    sensitive: list[str]
    created_at: datetime


class RenderRequest(BaseModel):
    """A try: nothing of it is kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"variables": {"name": "John Doe"}}]})

    variables: dict[str, Any] = Field(default_factory=dict, examples=[{"name": "John Doe"}])
    language: Language | None = Field(
        default=None, description="Falls back to the base language, `en`, the template's first."
    )
    version: VersionNumber | None = Field(
        default=None,
        description="Without `language`: exactly this version. With it: that language's newest "
        "up to this version, as a notification pinned to it would be sent.",
    )


class RenderedTemplate(BaseModel):
    """What a person would be sent."""

    template_id: str
    version: int
    language: str
    channel: Channel
    subject: str | None = Field(default=None, examples=["Welcome John Doe!"])
    title: str | None = None
    body_text: str | None = Field(default=None, examples=["Hello John Doe, welcome!"])
    body_html: str | None = None
    data: dict[str, str] | None = None
    image_url: str | None = None
    action_url: str | None = None
