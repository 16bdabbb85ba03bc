"""Users, their preferences and devices."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Unpack

from carillon_client.fields import BulkUserFields, NewUserFields, PreferencesFields, UserFields
from carillon_client.transport import Transport
from shared.schemas.envelope import Envelope
from shared.schemas.profile import TargetKind
from shared.schemas.users import BulkAnswer, Device, Preferences, User


class ChangedPreferences(Preferences):
    """Preferences after a change; until `effective_at`, if given, older ones may be obeyed."""

    effective_at: datetime | None = None


class Users:
    """`/users…`; every call raises CarillonError. Needs a key with the scope `users`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, **user: Unpack[NewUserFields]) -> User:
        return self._transport.call("POST", "/users", User, body=user).data

    def get(self, user_id: int) -> User:
        return self._transport.call("GET", f"/users/{user_id}", User).data

    def list(
        self,
        *,
        username: str | None = None,
        email: str | None = None,
        external_id: str | None = None,
        limit: int | None = None,
    ) -> Iterator[User]:
        """Those with exactly these, by id; all without a limit."""
        wanted = {"username": username, "email": email, "external_id": external_id}
        return self._transport.pages("/users", User, params=wanted, limit=limit)

    def update(self, user_id: int, **changes: Unpack[UserFields]) -> User:
        return self._transport.call("PUT", f"/users/{user_id}", User, body=changes).data

    def delete(self, user_id: int) -> None:
        """Removes everything that is kept of the person."""
        self._transport.call("DELETE", f"/users/{user_id}", type(None))

    def bulk(self, users: Sequence[BulkUserFields]) -> BulkAnswer:
        """Makes or updates up to 1,000 by `external_id`; each has a result of its own."""
        return self._transport.call("PUT", "/users/bulk", BulkAnswer, body={"users": users}).data

    def preferences(self, user_id: int) -> Preferences:
        return self._transport.call("GET", f"/users/{user_id}/preferences", Preferences).data

    def change_preferences(
        self, user_id: int, **changes: Unpack[PreferencesFields]
    ) -> ChangedPreferences:
        """Obeyed by every send that begins after this has returned; see `effective_at`."""
        path = f"/users/{user_id}/preferences"
        answer = self._transport.call("PUT", path, ChangedPreferences, body=changes)
        return answer.data.model_copy(update={"effective_at": _effective_at(answer)})

    def devices(self, user_id: int) -> Iterator[Device]:
        return self._transport.pages(f"/users/{user_id}/devices", Device, limit=None)

    def add_device(
        self, user_id: int, value: str, kind: TargetKind | str = TargetKind.FCM_TOKEN
    ) -> Device:
        """Registers a device; a token that another user had moves to this one."""
        new = {"kind": kind, "value": value}
        return self._transport.call("POST", f"/users/{user_id}/devices", Device, body=new).data

    def remove_device(self, user_id: int, device_id: int) -> None:
        self._transport.call("DELETE", f"/users/{user_id}/devices/{device_id}", dict)


def _effective_at(answer: Envelope[ChangedPreferences]) -> datetime | None:
    told = (answer.meta.model_extra or {}).get("effective_at") if answer.meta else None
    return datetime.fromisoformat(told) if told else None
