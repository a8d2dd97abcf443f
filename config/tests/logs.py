"""What processes said last, beside the failure of the test that started them."""

from __future__ import annotations

from pathlib import Path

import pytest

TAIL = 30  # lines of each log


def show_logs(report: pytest.TestReport, folder: Path | None) -> None:
    """Call it from `pytest_runtest_makereport`: fixtures that remove the folder have not ended yet."""
    if report.failed and folder is not None and folder.exists():
        report.sections += [(log.name, _tail(log)) for log in sorted(folder.rglob("*.log"))]


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])
