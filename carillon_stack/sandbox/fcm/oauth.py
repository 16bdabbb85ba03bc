"""Google's OAuth2 token endpoint for service accounts (RFC 7523, JWT bearer).

Access tokens prove themselves (a signed time), so that they outlive this process, as Google's do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import BaseModel

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLES_ENDPOINT = "https://oauth2.googleapis.com/token"
"""The audience that google-auth writes, whatever the account's `token_uri`."""
SCOPES = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
}
TOKEN_SECONDS = 3599
LONGEST_ASSERTION = 3600
CLOCK_SKEW = 60


class GrantRefused(Exception):
    """Why no token is given: OAuth2's error code and a sentence."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class ServiceAccount(BaseModel):
    """What counts here of a service account's JSON file."""

    project_id: str
    private_key: str
    client_email: str
    token_uri: str

    @classmethod
    def from_file(cls, path: Path) -> ServiceAccount:
        """Read the file as the Google console hands it out."""
        return cls.model_validate_json(path.read_bytes())


class TokenEndpoint:
    """Trades assertions signed with one service account's key for access tokens."""

    def __init__(self, account: ServiceAccount) -> None:
        key = serialization.load_pem_private_key(account.private_key.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the service account's private_key must be an RSA key")
        self._account = account
        self._key = key.public_key()
        self._secret = hashlib.sha256(account.private_key.encode()).digest()

    def grant(self, grant_type: str, assertion: str) -> dict[str, Any]:
        """Google's answer to a good assertion. Raises GrantRefused."""
        if grant_type != GRANT_TYPE:
            raise GrantRefused("unsupported_grant_type", f"Invalid grant_type: {grant_type}")
        self._check(self._verified_claims(assertion))
        expires = int(time.time()) + TOKEN_SECONDS
        token = f"ya29.{expires}.{self._sign(expires)}"
        return {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def accepts(self, token: str) -> bool:
        """Whether an access token was given here and has not expired."""
        prefix, _, rest = token.partition(".")
        expires, _, signature = rest.partition(".")
        return (
            prefix == "ya29"
            and expires.isascii()
            and expires.isdecimal()
            and int(expires) > time.time()
            and hmac.compare_digest(signature.encode(), self._sign(int(expires)).encode())
        )

    def _sign(self, expires: int) -> str:
        return hmac.new(self._secret, str(expires).encode(), hashlib.sha256).hexdigest()

    def _verified_claims(self, assertion: str) -> dict[str, Any]:
        signed, _, signature = assertion.rpartition(".")
        try:
            header, claims = (json.loads(_decode(part)) for part in signed.split("."))
            if header.get("alg") != "RS256":
                raise GrantRefused("invalid_grant", "Invalid JWT: only RS256 is supported.")
            self._key.verify(
                _decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature as error:
            raise GrantRefused("invalid_grant", "Invalid JWT Signature.") from error
        except (ValueError, AttributeError) as error:
            raise GrantRefused("invalid_request", "Bad Request") from error
        return dict(claims)

    def _check(self, claims: dict[str, Any]) -> None:
        now = time.time()
        issued, expires = claims.get("iat"), claims.get("exp")
        if claims.get("iss") != self._account.client_email:
            raise GrantRefused("invalid_grant", "Invalid grant: account not found")
        if claims.get("aud") not in (GOOGLES_ENDPOINT, self._account.token_uri):
            raise GrantRefused("invalid_grant", "Invalid JWT: Failed audience check.")
        if not (
            isinstance(issued, int | float)
            and isinstance(expires, int | float)
            and issued - CLOCK_SKEW <= now < expires + CLOCK_SKEW
            and expires - issued <= LONGEST_ASSERTION
        ):
            raise GrantRefused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )
        if not SCOPES & set(str(claims.get("scope", "")).split()):
            raise GrantRefused(
                "invalid_scope", "Invalid OAuth scope or ID token audience provided."
            )


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
