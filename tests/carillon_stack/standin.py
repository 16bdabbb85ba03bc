"""A service in its smallest form: tells its pid and environment, one caller after the other.

At SIGTERM it finishes the caller it has; those who still wait are for the next process.
"""

import json
import os
import selectors
import signal
import socket

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"


def serve() -> None:
    told_to_stop, at_signal = socket.socketpair()
    at_signal.setblocking(False)
    signal.set_wakeup_fd(at_signal.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    listener = socket.socket(fileno=int(os.environ["LISTEN_FD"]))
    # Processes that share the socket all wake up for one caller.
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(told_to_stop, selectors.EVENT_READ)
        print("listening", flush=True)
        while not any(key.fileobj is told_to_stop for key, _ in selector.select()):
            try:
                caller, _ = listener.accept()
            except BlockingIOError:
                continue
            with caller:
                answer(caller)


def answer(caller: socket.socket) -> None:
    caller.settimeout(5)
    request = b""
    while b"\r\n\r\n" not in request:
        received = caller.recv(65536)
        if not received:
            return
        request += received
    body = json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}).encode()
    caller.sendall(ANSWER % (len(body), body))


if __name__ == "__main__":
    serve()
