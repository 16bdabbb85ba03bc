"""The folder in which one stack keeps everything it makes."""

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Home:
    """Where a stack lives; two stacks with different homes know nothing of each other."""

    path: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Home":
        """Return the home that ``CARILLON_HOME`` names, else the repository's ``.carillon``."""
        given = environment.get("CARILLON_HOME")
        return cls(Path(given).expanduser().resolve() if given else REPOSITORY / ".carillon")

    @property
    def mark(self) -> str:
        """A short name that no other home has."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:10]

    def folder(self, name: str) -> Path:
        """Return a folder of this home that only its owner can read, made if missing."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def logs(self) -> Path:
        return self.folder("logs")

    def metrics(self, service: str) -> Path:
        """Return a folder that several processes of a service keep their metrics in."""
        return self.folder(f"metrics/{service}")

    def forget_metrics(self) -> None:
        """Remove what processes counted that no longer run."""
        shutil.rmtree(self.path / "metrics", ignore_errors=True)

    def socket(self, name: str) -> Path:
        """Return a path for a Unix socket; such paths may hold about 100 bytes only."""
        wanted = self.path / "run" / name
        if len(os.fsencode(wanted)) <= 90:
            self.folder("run")
            return wanted
        short = Path(tempfile.gettempdir()) / f"carillon-{os.getuid()}-{self.mark}"
        short.mkdir(mode=0o700, exist_ok=True)
        if short.lstat().st_uid != os.getuid():
            raise PermissionError(
                f"{short} belongs to somebody else; set TMPDIR to a folder of yours"
            )
        return short / name

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
        """Return a secret made once and kept readable by its owner only."""
        path = self.folder("secrets") / name
        if not path.exists():
            write_private(path, make())
        return path.read_text()

    def ports(self) -> dict[str, int]:
        """Return the ports this stack used last, by what listens there."""
        path = self.path / "ports.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def remember_ports(self, ports: Mapping[str, int]) -> None:
        """Keep the ports for the next start."""
        write_private(self.folder("") / "ports.json", json.dumps(dict(ports), indent=2))


def write_private(path: Path, text: str) -> None:
    """Replace a file at once by one that only its owner can read."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
