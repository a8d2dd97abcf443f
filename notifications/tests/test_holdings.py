"""A guard for the future: whatever holds something of people is exported and erased, or says why not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models

from notifications.holdings import EVERY
from preferences.models import Recipient
from tenants.holdings import Holding, Subject

OURS = ("notifications", "delivery", "preferences", "templates_app", "tenants")
HOLDINGS: dict[type[models.Model], Holding[Any, Any]] = {holding.model: holding for holding in EVERY}


IMPERSONAL = {
    "delivery.ProviderAccount": "credentials and settings, written by operators",
    "notifications.Batch": "its token is ours",
    "notifications.BatchChunk": "how many were taken, and which places in a request were not",
    "notifications.Erasure": "whose it is goes when it is done",
    "preferences.Category": "a tenant's kinds of messages, and its rules for them",
    "tenants.ApiKey": "a service's",
    "tenants.LookupValue": "a list of values, written by operators",
    "tenants.Tenant": "settings, written by operators; who is to be told of failures is named by them",
}
"""Why a table that looks as if it held something of people does not."""

_WORDS = (models.TextField, models.JSONField, ArrayField, models.BinaryField, models.EmailField)
_TELLING = re.compile(
    r"recipient|person|address|email|phone|sender|token|mask|subject|body|reply|reference|external_id|user"
)


def ours() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model._meta.app_label in OURS]


def telling(model: type[models.Model]) -> list[str]:
    """The columns that may hold something of somebody: words, JSON, or by their name."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, _WORDS) or _TELLING.search(field.name)
    ]


def hangs_on_a_recipient(model: type[models.Model]) -> bool:
    return any(
        field.related_model is Recipient and getattr(field.remote_field, "on_delete", None) is models.CASCADE
        for field in model._meta.concrete_fields
        if field.remote_field is not None
    )


@pytest.mark.parametrize("model", ours(), ids=lambda model: model._meta.label)
def test_it_works(model: type[models.Model]) -> None:
    """If this fails for a model of yours: declare it in a `holdings.py`, or above why it holds nobody's."""
    if model in HOLDINGS or model._meta.app_label == "templates_app" or hangs_on_a_recipient(model):
        return
    if model._meta.label not in IMPERSONAL:
        assert telling(model) == [], f"{model._meta.label} is neither exported nor erased"


@pytest.mark.parametrize("model", HOLDINGS, ids=lambda model: model._meta.label)
def test_each_column_is_cleared_or_stays(model: type[models.Model]) -> None:
    """If this fails for a column of yours: say in its holding what becomes of it when somebody is erased."""
    holding = HOLDINGS[model]
    if holding.cleared is None:
        return
    texts = {
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, (*_WORDS, models.CharField)) or _TELLING.search(field.name)
    }
    assert texts - holding.cleared.keys() == holding.stays
    assert not holding.cleared.keys() & holding.stays


def test_all_that_hangs_on_a_recipient_is_found() -> None:
    assert {model for model in apps.get_models() if hangs_on_a_recipient(model)} <= HOLDINGS.keys()


def test_a_subject_is_the_same_after_it_was_kept() -> None:
    tenant_id = Recipient().pk
    subject = Subject(
        tenant_id, "user", "ann", frozenset({tenant_id}), frozenset({("email", "a@example.com")})
    )
    assert Subject.of(tenant_id, subject.document()) == subject
