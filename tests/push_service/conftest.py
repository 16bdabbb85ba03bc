from tests.carillon_stack.sandbox.conftest import (  # noqa: F401 - fixtures
    running_sandbox,
    sandbox,
)
