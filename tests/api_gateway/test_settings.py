"""Settings of the gateway that are more than a number."""

from datetime import timedelta

import pytest

from api_gateway.accept.categories import Categories
from api_gateway.settings import GatewaySettings
from shared.config import load

GIVEN = {
    "INTERNAL_SERVICE_TOKEN": "test-internal-token-0123456789",
    "DATABASE_URL": "postgresql://127.0.0.1/none",
    "RABBITMQ_URL": "amqp://127.0.0.1/",
    "REDIS_URL": "redis://127.0.0.1/0",
}


@pytest.fixture
def read(monkeypatch):
    def read(**variables: str) -> GatewaySettings:
        for name, value in (GIVEN | variables).items():
            monkeypatch.setenv(name, value)
        return load(GatewaySettings)

    return read


def test_categories_are_read_as_a_person_writes_them(read):
    settings = read(
        CATEGORY_LIFETIMES="orders=90m, news=7d,one_time_code=300s ,",
        CATEGORY_ON_UNKNOWN="invoices=hold,one_time_code=resend",
    )
    categories = Categories(
        default_lifetime=timedelta(hours=24),
        lifetimes=settings.category_lifetimes,
        on_unknown=settings.category_on_unknown,
    )
    wanted = {"orders": 5400, "news": 604_800, "one_time_code": 300, "others": 86_400, None: 86_400}
    assert {name: categories.lifetime(name).total_seconds() for name in wanted} == wanted
    said = {name: categories.on_unknown(name) for name in ("invoices", "one_time_code", "orders")}
    assert said == {"invoices": "hold", "one_time_code": "resend", "orders": None}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("CATEGORY_LIFETIMES", "orders", "'' is no lifetime"),
        ("CATEGORY_LIFETIMES", "orders=soon", "'soon' is no lifetime"),
        ("CATEGORY_LIFETIMES", "orders=0m", "'0m' is no lifetime"),
        ("CATEGORY_LIFETIMES", "orders=31d", "'31d' is longer than 30 days"),
        ("CATEGORY_LIFETIMES", "two words=1d", "pattern"),
        ("CATEGORY_LIFETIMES", "=1d", "pattern"),
        ("CATEGORY_ON_UNKNOWN", "orders=repeat", "'resend' or 'hold'"),
    ],
)
def test_what_is_wrong_with_a_category_is_said(read, name, value, problem):
    with pytest.raises(SystemExit, match=name) as ended:
        read(**{name: value})
    assert problem in str(ended.value)
