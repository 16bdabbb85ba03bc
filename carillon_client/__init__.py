"""Carillon from Python: send notifications, follow them, manage users, templates and keys."""

from carillon_client.client import Carillon
from carillon_client.errors import CarillonError

__all__ = ["Carillon", "CarillonError"]
