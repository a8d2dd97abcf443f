"""The vendors, a file each; a new file is found by itself."""

import inspect
import pkgutil
from functools import cache
from importlib import import_module

from sandbox.vendor import Vendor


@cache
def discover() -> tuple[type[Vendor], ...]:
    """Every `Vendor` that a file of this folder defines, by name."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    found = {
        member
        for module in modules
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Vendor) and member.__module__ == module.__name__
    }
    return tuple(sorted(found, key=lambda vendor: vendor.name))
