import socket

import pytest

from carillon_stack.ports import ELSEWHERE, Ports, is_free


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_somebody_holds_is_not_free(taken: int):
    assert not is_free(taken)


def test_a_taken_port_is_replaced_by_another_one(taken: int):
    port = Ports({}).give("api", preferred=taken)

    assert port in ELSEWHERE
    assert is_free(port)


def test_the_preferred_port_comes_before_last_times(taken: int):
    earlier = Ports({})
    first, preferred = earlier.give("api"), earlier.give("other")
    earlier.release()

    assert Ports({"api": first}).give("api", preferred=preferred) == preferred
    assert Ports({"api": first}).give("api", preferred=taken) == first


def test_two_stacks_that_start_at_once_get_different_ports():
    one = Ports({})
    port = one.give("api")

    other = Ports({"api": port}).give("api")

    assert other != port
    one.release()


def test_last_times_port_is_given_up_when_somebody_else_took_it(taken: int):
    assert Ports({"api": taken}).give("api") != taken


def test_a_running_stack_keeps_the_ports_it_holds(taken: int):
    assert Ports({"api": taken}, held=True).give("api") == taken


def test_no_two_listeners_get_the_same_port():
    ports = Ports({})

    given = {ports.give(f"listener {number}") for number in range(100)}

    assert len(given) == 100
