"""As much of curl as the administrators' page uses, for machines without it: `python -m tests.fetch --retry 20 URL`."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit


def main() -> int:
    """Print what is at an address, once somebody answers there."""
    parser = ArgumentParser()
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--retry", type=int, default=0)
    parser.add_argument("--retry-connrefused", action="store_true")
    parser.add_argument("url")
    given = parser.parse_args()
    address = urlsplit(given.url)
    for left in range(given.retry, -1, -1):
        with closing(HTTPConnection(address.netloc, timeout=10)) as connection:
            try:
                connection.request("GET", address.path)
                sys.stdout.write(connection.getresponse().read().decode())
            except OSError:
                time.sleep(1 if left else 0)
            else:
                return 0
    return 7


if __name__ == "__main__":
    sys.exit(main())
