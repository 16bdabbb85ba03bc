"""docker-compose.yml as Docker Compose reads it: its variables filled in, its anchors resolved.

Source: https://docs.docker.com/reference/compose-file/interpolation/
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.deployment.variables import ROOT

FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])([^}]*))?\})")


class Missing(Exception):
    """A variable that must be set is not."""


def named_variables() -> set[str]:
    """Every variable that the file names."""
    return {match[2] for match in _VARIABLE.finditer(FILE.read_text()) if match[2]}


def load(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in; raises Missing as Compose would refuse to start."""

    def filled(match: re.Match[str]) -> str:
        dollar, name, operator, word = match.groups()
        if dollar:
            return "$"
        value = environment.get(name, "")
        if not value and operator == ":?":
            raise Missing(f"{name}: {word}")
        return value or (word if operator == ":-" else "")

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(value) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(value) for value in node]
        return _VARIABLE.sub(filled, node) if isinstance(node, str) else node

    loaded: dict[str, Any] = walk(yaml.safe_load(FILE.read_text()))
    return loaded


def development() -> dict[str, str]:
    """The variables of the development profile."""
    text = (ROOT / ".env.development").read_text()
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
