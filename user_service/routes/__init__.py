"""The addresses of the service, by noun."""

from fastapi import APIRouter

from user_service.routes import devices, internal, preferences, users
from user_service.service import Users


def all_routes(service: Users) -> list[APIRouter]:
    """Every router of the service."""
    return [
        users.routes(service),
        preferences.routes(service),
        devices.routes(service),
        internal.routes(service),
    ]
