"""Which tries a fault happens to, and what is no fault at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon_stack.sandbox.faults import FAULT_LIST, Fault, FaultKind, FaultTable

from .conftest import Sandbox


def table(*faults: dict[str, Any]) -> FaultTable:
    made = FaultTable()
    made.replace(FAULT_LIST.validate_python(list(faults)))
    return made


def test_first_counts_the_tries_of_each_recipient() -> None:
    faults = table({"channel": "email", "kind": "reject_transient", "first": 2})
    fired = [faults.draw("email", who) is not None for who in "aabab"]
    assert fired == [True, True, True, False, True]


def test_to_narrows_a_fault_to_one_recipient() -> None:
    faults = table({"channel": "email", "kind": "throttle", "to": "a@x"})
    assert faults.draw("email", "b@x") is None
    assert faults.draw("push", "a@x") is None
    assert faults.draw("email", "a@x") is not None


def test_a_new_list_replaces_the_old_one_and_its_counts() -> None:
    fault = {"channel": "sms", "kind": "throttle", "first": 1}
    faults = table(fault)
    assert [faults.draw("sms", "+1") is None for _ in range(2)] == [False, True]
    faults.replace(FAULT_LIST.validate_python([fault]))
    assert faults.draw("sms", "+1") is not None


@given(rate=st.floats(0.05, 0.95), seed=st.integers())
def test_a_seed_makes_the_same_draws_again(rate: float, seed: int) -> None:
    fault = Fault(channel="push", kind=FaultKind.THROTTLE, rate=rate, seed=seed)
    runs = []
    for _ in range(2):
        faults = FaultTable()
        faults.replace([fault])
        runs.append([faults.draw("push", "t") is None for _ in range(50)])
    assert runs[0] == runs[1]


def test_a_rate_is_a_share_of_the_tries() -> None:
    faults = table({"channel": "push", "kind": "throttle", "rate": 0.3, "seed": 1})
    fired = sum(faults.draw("push", "t") is not None for _ in range(10_000))
    assert 2_800 < fired < 3_200


def test_faults_are_shown_as_they_were_set(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "email", "kind": "slow", "rate": 0.5, "latency_ms": 20})
    (fault,) = sandbox.get("/faults")
    assert (fault["channel"], fault["kind"], fault["rate"]) == ("email", "slow", 0.5)
    sandbox.faults()
    assert sandbox.get("/faults") == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("{", ""),
        ("{}", ""),
        ("[5]", "0"),
        ('[{"channel": "email"}]', "0.kind"),
        ('[{"channel": "fax", "kind": "down"}]', "0.channel"),
        ('[{"channel": "email", "kind": "explode"}]', "0.kind"),
        ('[{"channel": "email", "kind": "throttle", "rate": 1.5}]', "0.rate"),
        ('[{"channel": "email", "kind": "throttle", "first": 0}]', "0.first"),
        ('[{"channel": "email", "kind": "slow"}]', "0"),
        ('[{"channel": "email", "kind": "down", "rate": 0.5}]', "0"),
        ('[{"channel": "email", "kind": "throttle", "speed": 1}]', "0.speed"),
    ],
)
def test_nonsense_is_refused_with_its_path_and_changes_nothing(
    sandbox: Sandbox, body: str, path: str
) -> None:
    sandbox.faults({"channel": "sms", "kind": "throttle"})
    response = sandbox.http.put("/faults", content=body)
    assert response.status_code == 422
    assert [field["path"] for field in response.json()["fields"]] == [path]
    assert len(sandbox.get("/faults")) == 1
