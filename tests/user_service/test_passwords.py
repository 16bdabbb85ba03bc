"""Hashing must never hold up the event loop."""

import asyncio

from argon2 import PasswordHasher
from pydantic import SecretStr

from shared.errors import Unavailable
from user_service.passwords import Passwords


async def test_the_loop_goes_on_while_passwords_are_hashed() -> None:
    passwords = Passwords()
    hashing = [asyncio.create_task(passwords.hashed(SecretStr(f"secret-{n}"))) for n in range(20)]
    turns = 0
    while not all(task.done() for task in hashing):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 200, "the loop could not turn meanwhile"
    hashes = [task.result() for task in hashing]
    assert len(set(hashes)) == 20
    assert PasswordHasher().verify(hashes[7], "secret-7")


async def test_a_crowd_is_told_to_come_again() -> None:
    passwords = Passwords(most_waiting=4)
    answers = await asyncio.gather(
        *(passwords.hashed(SecretStr("secret-word")) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 2
    assert sum(isinstance(answer, str) for answer in answers) == 4
