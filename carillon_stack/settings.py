"""The environment each service of the stack starts with: the caller's settings come first."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from carillon_stack.home import Home, write_private

# These differ from call to call without being settings.
# What differs from one terminal to the next and means nothing to a service.
OF_THE_SHELL = {
    *("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "TERM", "PS1", "LISTEN_FD"),
    *("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "TMUX", "TMUX_PANE", "WINDOWID", "XDG_SESSION_ID"),
    *("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"),
}

FIREBASE_PROJECT = "carillon-sandbox"


@dataclass(frozen=True)
class SandboxAddress:
    """Where the sandbox providers listen."""

    port: int
    smtp_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


# As the services have them in their settings.
_GRACE_SECONDS, _LONGEST_GRACE_SECONDS = 20.0, 300.0


class Settings:
    """Settings of one stack's services and sandbox."""

    def __init__(self, home: Home, caller: Mapping[str, str], sandbox: SandboxAddress) -> None:
        self._home = home
        kept = {name: value for name, value in caller.items() if name not in OF_THE_SHELL}
        self._caller = {**kept, "PATH": os.defpath, "NO_PROXY": _without_proxy(caller)}
        self._sandbox = sandbox

    @property
    def api_key(self) -> str:
        """The administrator's key that the local gateway starts with."""
        made = self._home.secret("admin_key", lambda: f"ck_live_{secrets.token_urlsafe(24)}")
        return self._caller.get("BOOTSTRAP_ADMIN_KEY", made)

    def of_service(
        self, port: int, shared: Mapping[str, str], database_url: str | None
    ) -> dict[str, str]:
        """Return a service's environment; ``shared`` holds the addresses of its neighbours."""
        own = {"LISTEN_FD": "0", "HOST": "127.0.0.1", "PORT": str(port), "PYTHONUNBUFFERED": "1"}
        if database_url:
            own["DATABASE_URL"] = database_url
        token = {"INTERNAL_SERVICE_TOKEN": self._home.secret("internal_service_token")}
        return {**token, **self._providers(), **shared, **self._caller, **own}

    @property
    def service_grace(self) -> int:
        """Seconds that a service has to end: more than it was told to take."""
        try:
            told = float(self._caller.get("GRACE_SECONDS") or _GRACE_SECONDS)
            return int(min(told, _LONGEST_GRACE_SECONDS)) + 10
        except ValueError:  # the service itself refuses the value, by name
            return int(_LONGEST_GRACE_SECONDS)

    def of_gateway(self, *, open_loopback: bool) -> dict[str, str]:
        """Return what only the gateway is told."""
        return {"BOOTSTRAP_ADMIN_KEY": self.api_key} | (
            {"OPEN_LOOPBACK": "true"} if open_loopback else {}
        )

    def of_several(self, name: str) -> dict[str, str]:
        """Return what the processes of a service with several of them share."""
        return {"PROMETHEUS_MULTIPROC_DIR": str(self._home.metrics(name))}

    def of_sandbox(self) -> dict[str, str]:
        return {
            **self._caller,
            "PYTHONUNBUFFERED": "1",
            "LISTEN_FD": "0",
            "SANDBOX_HOST": "127.0.0.1",
            "SANDBOX_PORT": str(self._sandbox.port),
            "SANDBOX_SMTP_PORT": str(self._sandbox.smtp_port),
            "SANDBOX_DATA": str(self._home.folder("sandbox")),
            "SANDBOX_FCM_CREDENTIALS": str(self._firebase_account()),
            "SANDBOX_TWILIO_SID": self._twilio_sid,
            "SANDBOX_TWILIO_TOKEN": self._home.secret("twilio_token"),
        }

    @property
    def _twilio_sid(self) -> str:
        return self._home.secret("twilio_sid", lambda: f"AC{secrets.token_hex(16)}")

    def _providers(self) -> dict[str, str]:
        """Return settings for the sandbox, channel by channel, unless real ones are set."""
        caller = self._caller
        providers: dict[str, str] = {}
        if not caller.get("SMTP_HOST"):
            providers |= {
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(self._sandbox.smtp_port),
                "SMTP_FROM": "Carillon <hello@carillon.example>",
                "SMTP_TLS": "none",
            }
        if not (caller.get("FCM_PROJECT_ID") or caller.get("FCM_CREDENTIALS_FILE")):
            providers |= {
                "FCM_PROJECT_ID": FIREBASE_PROJECT,
                "FCM_CREDENTIALS_FILE": str(self._firebase_account()),
                "FCM_API_URL": self._sandbox.url,
            }
        if not caller.get("TWILIO_ACCOUNT_SID"):
            providers |= {
                "TWILIO_ACCOUNT_SID": self._twilio_sid,
                "TWILIO_AUTH_TOKEN": self._home.secret("twilio_token"),
                "TWILIO_FROM": "+15005550006",
                "TWILIO_API_URL": self._sandbox.url,
            }
        return providers

    def _firebase_account(self) -> Path:
        """Return a service-account file as Firebase hands out, with a key made here."""
        path = self._home.folder("secrets") / "firebase-service-account.json"
        account = {
            "type": "service_account",
            "project_id": FIREBASE_PROJECT,
            "private_key_id": self._home.secret("firebase_key_id", lambda: secrets.token_hex(20)),
            "private_key": self._home.secret("firebase_private_key", _private_key),
            "client_email": f"sandbox@{FIREBASE_PROJECT}.iam.gserviceaccount.com",
            "client_id": "100000000000000000000",
            "token_uri": f"{self._sandbox.url}/token",
        }
        text = json.dumps(account, indent=2)
        if not path.exists() or path.read_text() != text:
            write_private(path, text)
        return path


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _without_proxy(caller: Mapping[str, str]) -> str:
    """Return NO_PROXY with loopback in it: the services meet there."""
    named = caller.get("NO_PROXY") or caller.get("no_proxy") or ""
    return ",".join([*filter(None, [named]), "127.0.0.1", "localhost"])
