"""What clients and neighbours may ask of the template service."""

from fastapi import APIRouter

from template_service.authoring import Authoring
from template_service.reading import Reading
from template_service.routes.internal import internal_routes
from template_service.routes.templates import template_routes
from template_service.routes.versions import version_routes


def all_routes(reading: Reading, authoring: Authoring) -> list[APIRouter]:
    """Every route of the service."""
    return [template_routes(reading, authoring), version_routes(reading), internal_routes(reading)]
