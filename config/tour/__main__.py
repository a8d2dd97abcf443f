"""`python -m config.tour URL [--once]`, in the environment of a stack that is ready."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

import aiohttp
import django

django.setup()

from django.conf import settings  # noqa: E402

from config.tour.clients import Refused  # noqa: E402
from config.tour.guide import lead  # noqa: E402
from config.tour.telling import Teller  # noqa: E402
from config.tour.tenant import Prepared, audit, prepare  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.tour")
    parser.add_argument("url")
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))  # cursor and all put right
    teller = Teller.for_terminal()
    prepared = prepare()
    teller.seeded(prepared.seeded)
    lines = _lead(arguments.url, prepared, teller)
    teller.conclude(lines)
    if not arguments.once:
        teller.directions(arguments.url, settings.SANDBOX_URL, prepared.key)
    return 1 if lines else 0


def _lead(url: str, prepared: Prepared, teller: Teller) -> list[str]:
    """What was missing."""
    try:
        lines = asyncio.run(lead(url, settings.SANDBOX_URL, prepared, teller))
    except (Refused, aiohttp.ClientError, TimeoutError) as error:
        return [str(error) or type(error).__name__]
    return [*lines, *audit(prepared.tenant_id)]


if __name__ == "__main__":
    sys.exit(main())
