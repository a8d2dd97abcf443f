import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.embedded import account as accounts
from config.tasks import tick
from config.tests.logs import show_logs
from config.tests.processes import wait_until, working_in


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    home = getattr(item, "funcargs", {}).get("home")
    show_logs(report, home and home.parent)
    return report


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home which PostgreSQL's account may enter, and no addresses in the environment."""
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CREDENTIAL_KEYS", "SUPPRESSION_KEYS"):
        monkeypatch.delenv(name, raising=False)
    ground = accounts.temporary_ground(accounts.borrowed())
    monkeypatch.setenv("CARILLON_HOME", str(ground / "home"))
    yield ground / "home"
    wait_until(lambda: working_in(ground) == [])
    shutil.rmtree(ground)


@pytest.fixture
def beat(transactional_db: None) -> None:
    """Beat has just ticked."""
    every, _ = IntervalSchedule.objects.get_or_create(every=2, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.update_or_create(name="tick", defaults={"task": tick.name, "interval": every})
    tick()
