"""Finds the providers: every concrete `Provider` in a module under `delivery.providers.<channel>`."""

from __future__ import annotations

import inspect
import pkgutil
from functools import cache
from importlib import import_module

from delivery import providers as package
from delivery.providers.base import Provider


class UnknownProvider(LookupError):  # noqa: N818 - as Django names its own: DoesNotExist
    """An account names a provider that no file under `delivery/providers/` defines."""


@cache
def providers() -> dict[tuple[str, str], type[Provider]]:
    """Every provider by (channel, name)."""
    found: dict[tuple[str, str], type[Provider]] = {}
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for _, item in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(item, Provider) and item.__module__ == module.name and "name" in vars(item):
                found[item.channel, item.name] = item
    return found


def provider(channel: str, name: str) -> type[Provider]:
    try:
        return providers()[channel, name]
    except KeyError:
        raise UnknownProvider(f"no provider {name!r} for {channel}") from None


def accepts(channel: str, name: str, address: str) -> bool:
    """Whether the provider takes such addresses. One that is gone takes all: sending by it tells so."""
    found = providers().get((channel, name))
    return found is None or found.accepts(address)


@cache
def built_in(channel: str) -> type[Provider] | None:
    """The provider that needs no account on this channel, where there is one (the feed)."""
    return next((p for (c, _), p in providers().items() if c == channel and not p.needs_account), None)
