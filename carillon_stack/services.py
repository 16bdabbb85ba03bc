"""The suite's services, as the stack sees them."""

from dataclasses import dataclass

from carillon_stack.programs import Stage


@dataclass(frozen=True)
class Service:
    """A service that ``python -m`` starts by its module, named like itself unless said otherwise.

    ``port`` is the one it prefers; ``database`` is created for it.
    """

    name: str
    port: int
    stage: Stage
    database: str | None = None
    module: str = ""


SERVICES = (
    Service("api_gateway", 8000, Stage.DOOR, database="carillon_gateway"),
    Service("email_service", 8001, Stage.WORKERS),
    Service("push_service", 8002, Stage.WORKERS),
    Service("user_service", 8003, Stage.DIRECTORIES, database="carillon_users"),
    Service("template_service", 8004, Stage.DIRECTORIES, database="carillon_templates"),
    Service("sms_service", 8005, Stage.WORKERS),
)
