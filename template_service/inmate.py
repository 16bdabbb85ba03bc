"""The process inside the jail: reads a request a line, answers each with a line, all JSON.

A request is `{"fields": {...}, "variables": {...} | null}`; without variables it is a check.
An answer is `{"checked": {...}}`, `{"filled": {...}}` or `{"problem": NAME, "details": [...]}`.
It imports little, so that it starts fast, and is given no setting, so that it holds no secret.
"""

import contextlib
import json
import resource
import sys
import time
from typing import Any

from shared.rendering import (
    CompiledTemplate,
    ContentTooLarge,
    MissingVariable,
    RenderFailed,
    RenderingError,
    TemplateSyntaxProblem,
    compile_template,
)

MEMORY_BYTES = 256 * 1024 * 1024
CPU_SECONDS = 2


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what one request asks."""
    try:
        template = compile_template(request["fields"])
        variables = request["variables"]
        if variables is None:
            return {"checked": _checked(template)}
        return {"filled": template.render(variables)}
    except RenderingError as problem:
        return {"problem": type(problem).__name__, "details": _details(problem)}


def _checked(template: CompiledTemplate) -> dict[str, list[str]]:
    # Without variables, what fails before one is needed fails always.
    with contextlib.suppress(MissingVariable):
        template.render({})
    return {
        "used_variables": sorted(template.used_variables),
        "header_variables": sorted(template.header_variables),
    }


def _details(problem: RenderingError) -> list[str | int]:
    match problem:
        case TemplateSyntaxProblem():
            return [problem.field, problem.line, problem.reason]
        case MissingVariable():
            return [problem.name]
        case RenderFailed():
            return [problem.field, problem.reason]
        case ContentTooLarge():
            return [problem.field, problem.limit]
        case _:
            raise problem


def _limit(kind: int, soft: int) -> None:
    # Not every system knows every limit; the wall clock outside holds everywhere.
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (soft, hard))


def serve() -> None:
    """Answer requests until the input ends."""
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    for line in sys.stdin:
        _limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + CPU_SECONDS)
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
