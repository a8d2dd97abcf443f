"""What lets thousands of tests pass quickly, and no test knows of. Loaded by conftest.py."""

import gc
import os
from collections.abc import Generator

import pytest
from django.conf import settings
from django.core.checks.registry import registry
from django.db import ProgrammingError, connection
from django.test import TransactionTestCase
from drf_spectacular.checks import schema_check

# Without triggers: no foreign keys, and no published versions that never change.
# The lock lets a thread that still writes come to its end first.
_EMPTY = """
DO $$
DECLARE written regclass;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR written IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
        AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', written);
        EXECUTE format('DELETE FROM %s', written);
    END LOOP;
END $$
"""
_flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]  # noqa: SLF001


def pytest_configure(config: pytest.Config) -> None:
    settings.WHITENOISE_AUTOREFRESH = True  # each test's client would look at every static file beforehand
    registry.deployment_checks.discard(schema_check)  # it takes a second to say what .ci/run says too
    patch = pytest.MonkeyPatch()
    patch.setattr(TransactionTestCase, "_fixture_teardown", _empty_the_database)
    config.add_cleanup(patch.undo)


def _empty_the_database(case: TransactionTestCase) -> None:
    """Delete what a test wrote. Django truncates all tables and makes all permissions anew."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_EMPTY)
    except ProgrammingError:  # only a superuser passes over triggers
        _flush(case)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: while one waits for a silent vendor, another can work."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What was collected stays: to look again whether it is garbage stops a test for half a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
