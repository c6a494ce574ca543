"""Prints a port that nobody listens on and that no test was given lately.

For scripts what crates/test-ports is for tests, and in the same file: see there for why.
"""

import fcntl
import os
import pathlib
import socket
import sys

FIRST, LAST = 10_000, 29_999


def is_free(port: int) -> bool:
    """Whether nobody has it, on any address of the machine."""
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as one:
                one.bind(("", port))
    except OSError:
        return False
    return True


def main() -> None:
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "weft"
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(folder / "last-port", os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        read = file.read(5)
        last = int(read) if read.isdigit() and FIRST <= int(read) <= LAST else LAST
        port = next((one for one in [*range(last + 1, LAST + 1), *range(FIRST, last + 1)] if is_free(one)), None)
        if port is None:
            sys.exit(f"free_port: each of the ports {FIRST} to {LAST} is in use")
        file.seek(0)
        file.write(b"%05d" % port)
    print(port)


main()
