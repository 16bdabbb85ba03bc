"""Templates as the gateway checks them and as channel workers fill them."""

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.vocabulary import Channel


class TemplateFacts(BaseModel):
    """What the gateway must know to accept a request for a template.

    `version` is the newest of the template in any language: pinned with a notification, it fixes
    the content in every language as it stood then.
    """

    model_config = ConfigDict(frozen=True)

    template_id: str
    version: int
    channel: Channel
    active: bool
    variables: frozenset[str] = Field(description="Declared in any of the languages.")
    header_variables: frozenset[str] = Field(description="Those that flow into a header line.")
    sensitive: frozenset[str] = Field(
        default=frozenset(), description="Those that are secrets in any of the languages."
    )


class FactsQuestion(BaseModel):
    """Look-up of many templates' facts at once."""

    template_ids: list[str] = Field(max_length=1000)


class FactsAnswer(BaseModel):
    """The templates that exist; an id that is missing here is an unknown template."""

    templates: list[TemplateFacts]


class ContentKey(BaseModel):
    """Which text is wanted: the newest up to `version`, in the first language that exists."""

    model_config = ConfigDict(frozen=True)

    template_id: str
    version: int | None
    languages: tuple[str, ...]


class TemplateContent(BaseModel):
    """The text of one template in one language at one version; immutable once it exists."""

    model_config = ConfigDict(frozen=True)

    template_id: str
    version: int
    language: str
    channel: Channel
    active: bool
    fields: dict[str, str]
    sensitive: frozenset[str] = Field(
        default=frozenset(),
        description="Variables that are secrets in this text, or in any language's newest.",
    )


class ContentQuestion(BaseModel):
    """Look-up of many contents at once."""

    keys: list[ContentKey] = Field(max_length=1000)


class ContentAnswer(BaseModel):
    """One answer for each key, in order; None for an unknown template."""

    contents: list[TemplateContent | None]
