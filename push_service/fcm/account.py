"""A Firebase service account, as the console hands it out in a JSON file."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError


class ServiceAccount(BaseModel):
    """What counts here of the file."""

    model_config = ConfigDict(frozen=True)

    project_id: str
    private_key_id: str | None = None
    private_key: SecretStr
    client_email: str
    token_uri: str = Field(pattern="^https?://")

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Reads the file; raises ValueError without quoting it, for it holds a key."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            fields = {".".join(map(str, e["loc"])) or "JSON" for e in error.errors()}
            raise ValueError(f"{path} is no service account: {', '.join(sorted(fields))}") from None
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
