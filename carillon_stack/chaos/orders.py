"""What is asked for: people and templates made before the load, and one order after the other."""

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carillon_client import Carillon
from carillon_client.fields import NewTemplateFields

USERS_PER_RATE = 4
"""Users for each notification a second: 15 a minute for each of them."""
FEWEST_USERS, MOST_USERS = 100, 5_000
_BULK = 1_000
_EVERY_SO_MANY_HAS_TWO_DEVICES = 10

CHANNELS = {"email": 0.7, "push": 0.2, "sms": 0.1}
PRIORITIES = {"normal": 0.6, "high": 0.2, "low": 0.15, "critical": 0.05}
"""The share of each."""

MARK = re.compile(rb"chaos#(\d{8})#")
"""Stands in every text, so that what was received is known whatever its headers say."""
_TEXT = "chaos#{{serial}}# for {{name}}"

TEMPLATES: Mapping[str, NewTemplateFields] = {
    "email": {
        "template_id": "chaos_email",
        "name": "Chaos: email",
        "channel": "email",
        "subject": _TEXT,
        "body_text": "Hello {{name}}, this is one of many.\n",
        "body_html": "<p>Hello {{name}}, this is one of many.</p>",
        "variables": ["serial", "name"],
    },
    "push": {
        "template_id": "chaos_push",
        "name": "Chaos: push",
        "channel": "push",
        "title": _TEXT,
        "body_text": "This is one of many.",
        "variables": ["serial", "name"],
    },
    "sms": {
        "template_id": "chaos_sms",
        "name": "Chaos: SMS",
        "channel": "sms",
        "body_text": _TEXT,
        "variables": ["serial", "name"],
    },
}


@dataclass(frozen=True, slots=True)
class Person:
    """A user with an address on every channel."""

    user_id: int
    addresses: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Order:
    """One notification to ask for; `serial` counts them, `key` is its idempotency key."""

    serial: int
    key: str
    channel: str
    person: Person
    body: Mapping[str, Any]

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.person.addresses[self.channel]


class Orders:
    """The orders of one run, each drawn from the seed and its serial."""

    def __init__(self, seed: int, people: Sequence[Person]) -> None:
        self._seed = seed
        self._people = people

    def __getitem__(self, serial: int) -> Order:
        chance = random.Random(f"{self._seed}:{serial}")  # noqa: S311 - the same seed, the same
        channel = chance.choices(list(CHANNELS), list(CHANNELS.values()))[0]
        priority = chance.choices(list(PRIORITIES), list(PRIORITIES.values()))[0]
        person = self._people[serial % len(self._people)]
        return Order(
            serial=serial,
            key=f"chaos-{self._seed}-{serial}",
            channel=channel,
            person=person,
            body={
                "user_id": person.user_id,
                "channel": channel,
                "template_id": TEMPLATES[channel]["template_id"],
                "variables": {"serial": f"{serial:08d}", "name": f"person {person.user_id}"},
                "priority": priority,
            },
        )


def users_for(rate: float) -> int:
    """How many users a load needs to stay below their rate limit."""
    return min(MOST_USERS, max(FEWEST_USERS, math.ceil(rate * USERS_PER_RATE)))


def make_ground(carillon: Carillon, users: int) -> list[Person]:
    """Make the templates and so many users; raises CarillonError."""
    for template in TEMPLATES.values():
        carillon.templates.create(**template)
    people: list[Person] = []
    for first in range(0, users, _BULK):
        numbers = range(first, min(users, first + _BULK))
        results = carillon.users.bulk([_fields(number) for number in numbers]).results
        people += [
            Person(entry.user_id or 0, _addresses(number))
            for number, entry in zip(numbers, results, strict=True)
        ]
    for number, person in enumerate(people):
        for token in _addresses(number)["push"][1:]:
            carillon.users.add_device(person.user_id, token)
    return people


def _fields(number: int) -> Any:
    addresses = _addresses(number)
    return {
        "external_id": f"chaos-{number}",
        "username": f"chaos-{number}",
        "email": addresses["email"][0],
        "phone_number": addresses["sms"][0],
        "preferences": {"push_token": addresses["push"][0]},
    }


def _addresses(number: int) -> dict[str, tuple[str, ...]]:
    devices = 2 if number % _EVERY_SO_MANY_HAS_TWO_DEVICES == 0 else 1
    return {
        "email": (f"person-{number}@example.com",),
        "push": tuple(f"phone-{number}-{device}" for device in range(devices)),
        "sms": (f"+1415555{number:04d}",),
    }
