"""Whether a service, or one process of it, is ready."""

import http.client
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit


def answers_ready(url: str) -> bool:
    """Tell whether ``GET /readyz`` of a service answers 200."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def accepts(pid: int, port: int) -> bool:
    """Tell whether this very process waits for connections on a port shared by several.

    Linux shows which sockets a process polls; elsewhere the answer is yes, and asking the port
    has to do.
    """
    if not Path("/proc/net/tcp").exists():
        return True
    listener = f"socket:[{_listening_inode(port)}]"
    descriptors = Path(f"/proc/{pid}/fd")
    with suppress(OSError):
        held = {entry.name for entry in descriptors.iterdir() if _target(entry) == listener}
        return bool(held & _polled(pid))
    return False


def _polled(pid: int) -> set[str]:
    """Return the descriptors that a process waits on with epoll."""
    polled = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(OSError):
            for line in entry.read_text().splitlines():
                if line.startswith("tfd:"):
                    polled.add(line.split()[1])
    return polled


def _listening_inode(port: int) -> str | None:
    listening, local = "0A", f"0100007F:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == local and fields[3] == listening:
            return fields[9]
    return None


def _target(descriptor: Path) -> str | None:
    with suppress(OSError):
        return str(descriptor.readlink())
    return None
