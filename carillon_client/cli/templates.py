"""templates: list, show, create, update, render, delete."""

from typing import Annotated, Any

import typer

from carillon_client.cli.documents import read_mapping
from carillon_client.cli.gateway import gateway
from carillon_client.cli.screen import (
    AsJson,
    Limit,
    console,
    show_details,
    show_done,
    show_json,
    show_table,
)
from carillon_client.cli.variables import Assignments, assigned
from shared.schemas.templates import NewTemplate, Template, TemplateChange, TemplateVersion
from shared.schemas.vocabulary import Channel

app = typer.Typer()
group = typer.Typer(help="What people are told.", no_args_is_help=True)
app.add_typer(group, name="templates")

Id = Annotated[str, typer.Argument(metavar="ID")]
Language = Annotated[str | None, typer.Option(help="Such as pt-BR.")]
Version = Annotated[int | None, typer.Option(help="As it was then.")]

TEXTS = ("subject", "title", "body_text", "body_html", "data", "image_url", "action_url")


@group.command("list")
def show_list(
    channel: Annotated[Channel | None, typer.Option(help="Only these.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Only these.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """By id."""
    with gateway() as carillon:
        found = list(carillon.templates.list(channel=channel, active=active, limit=limit))
    if as_json:
        show_json(found)
        return
    show_table(
        ("template", "name", "channel", "languages", "version", "active"),
        (
            (t.template_id, t.name, t.channel, t.languages, t.latest_version, t.active)
            for t in found
        ),
    )


@group.command()
def show(
    template_id: Id, language: Language = None, version: Version = None, as_json: AsJson = False
) -> None:
    """A template as it stands in a language, or one of its versions."""
    with gateway() as carillon:
        found: TemplateVersion = (
            carillon.templates.get(template_id, language=language)
            if version is None
            else carillon.templates.version(template_id, version)
        )
    _show(found, as_json=as_json)


@group.command()
def create(
    template_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    channel: Annotated[Channel | None, typer.Option(help="How it is sent.")] = None,
    name: Annotated[str | None, typer.Option(help="For people; else the ID.")] = None,
    subject: Annotated[str | None, typer.Option(help="Email.")] = None,
    title: Annotated[str | None, typer.Option(help="Push.")] = None,
    text: Annotated[str | None, typer.Option(help="The body, on every channel.")] = None,
    html: Annotated[str | None, typer.Option(help="Email: the body in HTML too.")] = None,
    image_url: Annotated[str | None, typer.Option(help="Push.")] = None,
    action_url: Annotated[str | None, typer.Option(help="Push: what a tap opens.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(metavar="KEY=TEXT", help="Push. Repeatable.")
    ] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="What a send must give; else all in the texts. Repeatable."
        ),
    ] = None,
    sensitive: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A variable that is a secret, such as a code. Repeatable."
        ),
    ] = None,
    language: Language = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", metavar="PATH", help="YAML or JSON as the API takes it; - for stdin."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save a new template, or one in another language; options count before the file."""
    given = {
        "template_id": template_id,
        "channel": channel,
        "name": name,
        "subject": subject,
        "title": title,
        "body_text": text,
        "body_html": html,
        "image_url": image_url,
        "action_url": action_url,
        "data": assigned(data) or None,
        "variables": variable,
        "sensitive": sensitive,
        "language": language,
    }
    new: dict[str, Any] = read_mapping(file, NewTemplate.model_fields) if file else {}
    new |= {field: value for field, value in given.items() if value is not None}
    if "template_id" in new:
        new.setdefault("name", new["template_id"])
    with gateway() as carillon:
        _show(carillon.templates.create(**new), as_json=as_json)


@group.command()
def update(
    template_id: Id,
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", metavar="PATH", help="The fields that change; - for stdin."),
    ] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether it is sent.")
    ] = None,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """Save a new version, or bring a deactivated template back."""
    known = {**NewTemplate.model_fields, **TemplateChange.model_fields}
    changes: dict[str, Any] = read_mapping(file, known) if file else {}
    # The file that made a template may change it too.
    changes.pop("template_id", None)
    language = language or changes.pop("language", None)
    if active is not None:
        changes["active"] = active
    with gateway() as carillon:
        changed = carillon.templates.update(template_id, language=language, **changes)
        _show(changed, as_json=as_json)


@group.command()
def render(
    template_id: Id,
    var: Assignments = None,
    language: Language = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """See what a person would be sent; nothing is."""
    with gateway() as carillon:
        found = carillon.templates.render(
            template_id, assigned(var), language=language, version=version
        )
    if as_json:
        show_json(found)
    else:
        show_details({field: getattr(found, field) for field in TEXTS})


@group.command()
def delete(template_id: Id, as_json: AsJson = False) -> None:
    """Deactivate: nothing is sent from it any more; its versions stay."""
    with gateway() as carillon:
        found = carillon.templates.delete(template_id)
    if as_json:
        show_json(found)
    else:
        show_done(f"{template_id} is deactivated.")
        console.print(f"  [dim]./carillon templates update {template_id} --active[/]")


def _show(template: TemplateVersion, *, as_json: bool) -> None:
    if as_json:
        show_json(template)
        return
    show_details(
        {
            "template": template.template_id,
            "name": template.name,
            "channel": template.channel,
            "language": template.language,
            "version": template.version,
            "languages": template.languages if isinstance(template, Template) else None,
            "active": template.active if isinstance(template, Template) else None,
            "variables": template.variables or None,
            "undeclared": template.undeclared_variables or None,
            "sensitive": template.sensitive or None,
            **{field: getattr(template, field) for field in TEXTS},
        }
    )
