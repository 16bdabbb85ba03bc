"""What the documents say is what the code does."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from api_gateway.__main__ import build as gateway
from api_gateway.settings import GatewaySettings
from shared.messaging.topology import TOPOLOGY
from shared.observability import metrics
from shared.schemas.vocabulary import Reason, Status
from template_service.__main__ import build as templates
from template_service.settings import Settings as TemplateSettings
from tests.deployment import compose, variables
from tests.deployment.variables import REQUIRED, ROOT, SETTINGS
from user_service.__main__ import build as users
from user_service.settings import Settings as UserSettings

DOCS = ROOT / "docs"
DOCUMENTS = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])

NONE = "none"

_METHODS = ("get", "post", "put", "patch", "delete")


def rows(document: str) -> Iterator[list[str]]:
    """The cells of every table row whose first cell is one name in code type."""
    for line in (DOCS / document).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(r"`[^`]+`", cells[0]):
            yield [cells[0].strip("`"), *cells[1:]]


def reasons_in_use() -> set[str]:
    """The names of the reasons that any code outside of the list gives."""
    used = set()
    for package in ("shared", *SETTINGS):
        for file in (ROOT / package).rglob("*.py"):
            if file.name != "vocabulary.py":
                used |= set(re.findall(r"\bReason\.([A-Z_]+)", file.read_text()))
    return used


# -- variables ------------------------------------------------------------------------------------


def test_every_variable_is_explained_with_its_true_default():
    explained = {name: default for name, default, _ in rows("configuration.md")}
    for name, default in variables.of_all().items():
        assert explained[name] == (default or NONE), name


def test_no_variable_is_explained_that_nothing_reads():
    stack = set(re.findall(r"[A-Z_]+", (ROOT / "carillon").read_text()))
    for package in ("carillon_client", "carillon_stack"):
        for file in (ROOT / package).rglob("*.py"):
            stack |= set(re.findall(r'"([A-Z_]+)"', file.read_text()))
    known = set(variables.of_all()) | compose.named_variables() | stack
    assert {name for name, *_ in rows("configuration.md")} <= known


def test_the_example_names_every_variable_and_no_other():
    known = set(variables.of_all()) | compose.named_variables()
    assert set(variables.in_example()) == known


def test_the_example_shows_true_defaults():
    explained = {name: default for name, default, _ in rows("configuration.md")}
    for name, shown in variables.in_example().items():
        assert shown == explained[name].replace(NONE, "").replace(REQUIRED, ""), name


def test_what_the_example_leaves_to_be_filled_in_is_what_compose_asks_for():
    text = (ROOT / ".env.example").read_text()
    to_fill_in = set(re.findall(r"^([A-Z_]+)=$", text, re.MULTILINE))
    demanded = set(re.findall(r"\$\{(\w+):\?", compose.FILE.read_text()))
    assert to_fill_in == demanded


def test_the_development_profile_sets_only_what_is_known():
    assert set(compose.development()) - {"COMPOSE_PROFILES"} <= set(variables.in_example())


# -- words ----------------------------------------------------------------------------------------


def test_every_reason_is_listed_with_its_meaning():
    used = reasons_in_use()
    listed = [row for row in rows("statuses-and-reasons.md") if len(row) == 4]
    assert listed == [
        [
            reason.value,
            reason.status.value,
            "yes" if reason.status is Status.FAILED else "",
            reason.meaning.rstrip(".") + ("" if reason.name in used else ". Reserved"),
        ]
        for reason in Reason
    ]


def test_every_status_is_listed():
    listed = [row[:2] for row in rows("statuses-and-reasons.md") if len(row) == 3]
    assert listed == [[status.value, "yes" if status.is_final else ""] for status in Status]


# -- addresses, queues, metrics -------------------------------------------------------------------


@pytest.fixture(scope="module")
def apps() -> list[FastAPI]:
    engines = {
        "internal_service_token": "a-token-for-documents",
        "database_url": "postgresql://nobody@127.0.0.1/none",
        "rabbitmq_url": "amqp://127.0.0.1/",
        "redis_url": "redis://127.0.0.1/0",
    }
    return [
        gateway(GatewaySettings(**engines)),
        users(UserSettings(**{k: v for k, v in engines.items() if k != "rabbitmq_url"})),
        templates(
            TemplateSettings(**{k: v for k, v in engines.items() if k[:3] not in ("rab", "red")})
        ),
    ]


def test_every_address_is_shown_and_no_other(apps):
    there = {
        f"{method.upper()} {path}"
        for app in apps
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if method in _METHODS
    }
    text = (DOCS / "api.md").read_text()
    assert set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", text)) == there


def test_every_exchange_and_queue_is_drawn():
    text = (DOCS / "architecture.md").read_text()
    for exchange in TOPOLOGY.exchanges:
        assert f"`{exchange.name}`" in text
    keys = set(re.findall(r"`([\w.]+)`", text))
    for queue in TOPOLOGY.queues:
        retry = queue.name.startswith("retry.")
        assert queue.name in keys or queue.name.removesuffix(".queue") in keys or retry, queue.name


def test_every_metric_is_explained():
    known = set()
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric.describe()[0].name
            known.add(f"{name}_total" if isinstance(metric, Counter) else name)
    assert {name for name, *_ in rows("operations.md") if name.startswith("carillon_")} == known


# -- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
            assert heading in anchors, target
