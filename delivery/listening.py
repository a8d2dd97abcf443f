"""Connections by which vendors tell things though nothing is sent: one process at least has each account's.

Whoever looks after an account's connection says so in Valkey now and then, while it lives. Beat rings, and
the worker that answers takes on the accounts that nobody speaks for: their process died, or they changed.
"""

from __future__ import annotations

import hashlib
import logging
from functools import partial, reduce
from operator import or_

import orjson
from django.db.models import Q
from redis import Redis
from redis.exceptions import RedisError

from delivery import loop
from delivery.accounts import AccountReport, instance
from delivery.models import ProviderAccount
from delivery.providers.base import Provider, ProviderMisconfigured
from delivery.rates import pool
from delivery.registry import provider, providers
from tenants.context import installation_scope

logger = logging.getLogger(__name__)

_SPOKEN_FOR = 75
"""Seconds for which a word holds: a connection's account is looked at every 30."""


def keep(report: AccountReport) -> int:
    """Listen for each account that nobody listens for; how many that were. `report` takes what is heard."""
    try:
        return sum(_listen(account, report) for account in _accounts() if _is_mine(account))
    except RedisError:
        logger.warning("nobody is asked who listens: Valkey is away")
        return 0


def goes_on(account: ProviderAccount) -> None:
    """This process has a connection of the account, as it was when that was made."""
    try:
        Redis(connection_pool=pool()).set(_key(account), 1, ex=_SPOKEN_FOR)
    except RedisError:
        logger.warning("it is not known who listens: Valkey is away", extra={"account": account.pk})


def _accounts() -> list[ProviderAccount]:
    """Those that may have something to listen for."""
    listening = [key for key, cls in providers().items() if cls.listens is not Provider.listens]
    named = [Q(channel=channel, provider=name) for channel, name in listening]
    with installation_scope():
        return list(ProviderAccount.objects.filter(reduce(or_, named, Q(pk__in=[])), is_enabled=True))


def _is_mine(account: ProviderAccount) -> bool:
    """Whether nobody spoke for it; then this process does."""
    return bool(Redis(connection_pool=pool()).set(_key(account), 1, ex=_SPOKEN_FOR, nx=True))


def _listen(account: ProviderAccount, report: AccountReport) -> bool:
    try:
        made = instance(account, provider(account.channel, account.provider), partial(report, account))
    except ProviderMisconfigured:
        logger.warning("an account is misconfigured", extra={"account": account.pk})
        return False
    if made.listens():
        loop.run(made.listen())
    return made.listens()


def _key(account: ProviderAccount) -> str:
    """Another one when the account has other settings: its old connection then speaks for nobody."""
    said = orjson.dumps(account.settings, option=orjson.OPT_SORT_KEYS) + bytes(account.secrets)
    return f"listening:{account.pk}:{hashlib.sha256(said).hexdigest()[:16]}"
