"""Ports for runs of several processes, each its own: Lightning's are free when it looks, and taken when it listens."""

import random
import socket
from itertools import cycle

RANGE = range(10_000, 32_000)
"""Below those that the system gives to whatever connects (32,768 and more)."""

_first = random.Random().randrange(len(RANGE))  # another in each process that runs tests
_ports = cycle([*RANGE[_first:], *RANGE[:_first]])


def fresh_port() -> int:
    """One that this process has not had before, and that nobody listens at."""
    for port in _ports:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("", port))
            except OSError:
                continue
        return port
    raise AssertionError("there is always a next one")
