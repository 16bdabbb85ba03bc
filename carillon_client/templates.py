"""Templates, their versions and languages."""

from collections.abc import Iterator, Mapping
from typing import Any, Unpack
from urllib.parse import quote

from carillon_client.fields import NewTemplateFields, TemplateFields
from carillon_client.transport import Transport
from shared.schemas.templates import (
    RenderedTemplate,
    Template,
    TemplateSummary,
    TemplateVersion,
    VersionSummary,
)
from shared.schemas.vocabulary import Channel


class Templates:
    """`/templates…`; every call raises CarillonError. Needs a key with the scope `templates`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, **template: Unpack[NewTemplateFields]) -> Template:
        """Saves a new template, or one in another language."""
        return self._transport.call("POST", "/templates", Template, body=template).data

    def get(self, template_id: str, *, language: str | None = None) -> Template:
        """As it stands in this language, else its base language, `en`, the template's first."""
        wanted = {"language": language}
        return self._transport.call("GET", _path(template_id), Template, params=wanted).data

    def list(
        self,
        *,
        channel: Channel | str | None = None,
        active: bool | None = None,
        limit: int | None = None,
    ) -> Iterator[TemplateSummary]:
        """By id; all without a limit."""
        wanted = {"channel": channel, "active": active}
        return self._transport.pages("/templates", TemplateSummary, params=wanted, limit=limit)

    def update(
        self, template_id: str, *, language: str | None = None, **changes: Unpack[TemplateFields]
    ) -> Template:
        """Saves a new version; `active=True` brings a deactivated template back."""
        wanted = {"language": language}
        return self._transport.call(
            "PUT", _path(template_id), Template, body=changes, params=wanted
        ).data

    def delete(self, template_id: str) -> Template:
        """Deactivates: nothing is sent from it any more, its versions stay."""
        return self._transport.call("DELETE", _path(template_id), Template).data

    def render(
        self,
        template_id: str,
        variables: Mapping[str, Any] | None = None,
        *,
        language: str | None = None,
        version: int | None = None,
    ) -> RenderedTemplate:
        """What a person would be sent; nothing is."""
        wanted = {"variables": variables or {}, "language": language, "version": version}
        path = f"{_path(template_id)}/render"
        return self._transport.call("POST", path, RenderedTemplate, body=wanted).data

    def versions(
        self, template_id: str, *, language: str | None = None, limit: int | None = None
    ) -> Iterator[VersionSummary]:
        """The newest first."""
        path, wanted = f"{_path(template_id)}/versions", {"language": language}
        return self._transport.pages(path, VersionSummary, params=wanted, limit=limit)

    def version(self, template_id: str, number: int) -> TemplateVersion:
        path = f"{_path(template_id)}/versions/{number}"
        return self._transport.call("GET", path, TemplateVersion).data


def _path(template_id: str) -> str:
    return f"/templates/{quote(template_id, safe='')}"
