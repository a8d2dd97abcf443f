"""Where it was measured, in a line: without it a figure means nothing."""

from __future__ import annotations

import datetime as dt
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import connection

_SYNCS = 20


def describe() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "fsync_ms": round(_fsync_ms(), 2),
        "python": platform.python_version(),
        "postgresql": _postgresql(),
        "valkey": _valkey(),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _fsync_ms() -> float:
    """The median of a few writes forced to the disk that the engines' data lie on."""
    taken = []
    with tempfile.TemporaryFile(dir=os.environ["CARILLON_HOME"]) as file:
        for _ in range(_SYNCS):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return 1000 * sorted(taken)[_SYNCS // 2]


def _postgresql() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


def _valkey() -> str:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        about: Any = client.info("server")
    return str(about.get("valkey_version") or about["redis_version"])
