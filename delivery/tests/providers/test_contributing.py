"""The example of CONTRIBUTING.md, taken out of it and put through the contract as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings

PAGE = Path(settings.BASE_DIR, "CONTRIBUTING.md").read_text()
PLACE = "delivery.providers.sms.ringo"


def example(of: str) -> str:
    found = re.search(rf"<!-- example: {of} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"CONTRIBUTING.md has no example of a {of}"
    return found[1]


def load(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = __file__
    sys.modules[name] = module  # pydantic looks a model's module up
    exec(compile(source, f"CONTRIBUTING.md: {name}", "exec"), module.__dict__)
    return module


load(PLACE, example("provider"))
RingoContract: Any = load("ringo_test", example("test")).TestRingo


class TestRingo(RingoContract):  # type: ignore[misc]
    @pytest.fixture(autouse=True)
    def a_sample(self, tmp_path: Path) -> Iterator[None]:
        (tmp_path / "arrived.json").write_text(example("sample"))
        type(self).samples = tmp_path
        yield
        del type(self).samples
