"""Which tenant this piece of work is for.

Tenant tables are reached only inside `tenant_scope`: it opens a transaction and sets `app.tenant_id` in it,
which is what row-level security policies will look at.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from django.db import connection, transaction

# A process that hangs inside a scope would hold its rows for as long as it hangs, and whoever waits for them
# with it. So PostgreSQL ends the session of one that has said nothing for this long between two statements.
_SILENCE = "10s"
_ENTER = """
    SELECT set_config('app.tenant_id', %s, true), set_config('idle_in_transaction_session_timeout', %s, true)
"""

_current: ContextVar[UUID | None] = ContextVar("tenant_id", default=None)


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[None]:
    """One transaction for one tenant. Nested scopes of the same tenant join it; of another are refused.

    Joining makes no savepoint: what fails in a nested scope undoes the whole.
    """
    outer = _current.get()
    if outer is not None and outer != tenant_id:
        raise RuntimeError("a tenant scope cannot be opened inside another tenant's")
    token = _current.set(tenant_id)
    try:
        with transaction.atomic(savepoint=outer is None):
            if outer is None:
                with connection.cursor() as cursor:
                    cursor.execute(_ENTER, [str(tenant_id), _SILENCE])
            yield
    finally:
        _current.reset(token)


@contextmanager
def installation_scope() -> Iterator[None]:
    """One transaction over every tenant: for the sweepers, which look for due rows whoever owns them."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ENTER, ["*", _SILENCE])
        yield


def current_tenant_id() -> UUID | None:
    return _current.get()
