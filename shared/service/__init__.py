"""A service around its routes and resources: create_app, run, access, probes."""

from shared.resource import Resource
from shared.service.access import Authenticator, require
from shared.service.app import create_app
from shared.service.body import BodyRule
from shared.service.direct import DirectRoute
from shared.service.runner import run

__all__ = ["Authenticator", "BodyRule", "DirectRoute", "Resource", "create_app", "require", "run"]
