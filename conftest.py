"""What every suite shares: the options, an empty broker before each test, and `drain`."""

from collections.abc import Callable
from functools import cache

import hypothesis
import pytest
import redis
from celery import current_app
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from kombu.transport.virtual import Channel

pytest_plugins = ["config.pytest_pace"]

hypothesis.settings.register_profile("carillon", deadline=None)  # how long it takes is the machine's affair
hypothesis.settings.load_profile("carillon")

OPTIONAL = ("chaos", "browser")
MANY = 10_000


def pytest_addoption(parser: pytest.Parser) -> None:
    for name in OPTIONAL:
        parser.addoption(f"--{name}", action="store_true", help=f"run the tests marked {name} too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name in OPTIONAL:
        if not config.getoption(f"--{name}"):
            skip = pytest.mark.skip(reason=f"needs --{name}")
            for item in items:
                if item.get_closest_marker(name):
                    item.add_marker(skip)


@pytest.fixture(autouse=True)
def broker_flush(request: pytest.FixtureRequest) -> None:
    """Every test that may use the database starts with an empty broker, cache and rate limits."""
    if request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(request.fixturenames):
        _client(settings.REDIS_URL).flushdb()


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


@pytest.fixture
def admin_client(db: None) -> Client:
    """A superuser at the admin site: pytest-django's, less the second that hashing a password takes."""
    client = Client()
    client.force_login(get_user_model().objects.create_user("admin", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def drain() -> Callable[[], list[str]]:
    """Run what waits in the broker, and what that rings for, in this process; answers the names of the tasks.

    Takes the messages of the queues that a worker consumes, urgent ones first. Raises what a task raises.
    """
    return _drain


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """What a test came to, to be read at the end of the run though it passes."""
    return lambda said: request.node.user_properties.append(("told", said))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, said in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(said))


def _drain() -> list[str]:
    _import_tasks()
    with current_app.connection_for_read() as connection:
        channel = connection.default_channel
        assert isinstance(channel, Channel)
        names: list[str] = []
        while (name := _run_next(channel)) is not None:
            names.append(name)
            assert len(names) < MANY, f"tasks keep ringing for each other: {names[-5:]}"
        return names


@cache
def _import_tasks() -> None:
    """Once: Celery has Django check all models each time."""
    current_app.loader.import_default_modules()


def _run_next(channel: Channel) -> str | None:
    for queue in current_app.amqp.queues:
        message = channel.basic_get(queue)
        if message is not None:
            message.ack()
            name: str = message.headers["task"]
            args, kwargs, _ = message.payload
            current_app.tasks[name](*args, **kwargs)
            return name
    return None
