"""The demo tenant: everything that a first notification needs, pointed at the sandbox.

Each step says what it made and what it found there already, so it may run as often as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

from config import sandboxed
from config.tenancy import create_tenant, owned_models
from delivery import accounts
from delivery.models import ProviderAccount
from preferences.addresses import RecipientFields
from preferences.categories import create_default_categories
from preferences.directory import merge
from preferences.models import Category, Recipient
from templates_app.models import Template
from templates_app.seeds import renew_templates, seed_templates
from tenants.context import tenant_scope
from tenants.models import SCOPES, ApiKey, Tenant

SLUG = "demo"
ADMIN = "admin"  # the user, and in a demo its password too

Done = Literal["created", "updated", "there already", "archived", "removed", "kept", "skipped"]


@dataclass(frozen=True, slots=True)
class Step:
    what: str
    name: str
    done: Done
    note: str = ""


@dataclass(frozen=True, slots=True)
class AccountSeed:
    name: str
    channel: str
    provider: str
    priority: int = 10
    is_sandbox: bool = False


# The second SMS account is the one that takes over when the first fails; the last ones wait for their turn.
DEMO_ACCOUNTS = (
    AccountSeed("sandbox-smtp", "email", "smtp"),
    *(
        AccountSeed(provider.replace("_", "-"), "email", provider, priority=50)
        for provider in ("sendgrid", "amazon_ses", "mailgun", "postmark", "brevo", "resend")
    ),
    AccountSeed("twilio-main", "sms", "twilio", priority=10),
    AccountSeed("twilio-backup", "sms", "twilio", priority=20),
    AccountSeed("smpp-operator", "sms", "smpp", priority=30),
    AccountSeed("amazon-sns", "sms", "sns", priority=50),
    AccountSeed("http-gateway", "sms", "http", priority=50),
    AccountSeed("whatsapp-cloud", "whatsapp", "meta"),
    AccountSeed("whatsapp-twilio", "whatsapp", "twilio", priority=20),
    AccountSeed("firebase", "push", "fcm"),
    AccountSeed("browsers", "push", "webpush"),
    AccountSeed("slack-bot", "slack", "slack_bot"),
    AccountSeed("slack-hooks", "slack", "slack_webhook"),
    AccountSeed("discord", "discord", "discord_webhook"),
    AccountSeed("webhooks", "webhook", "standard_webhook"),
)
# What test keys of any tenant send goes here, and nothing else does.
INSTALLATION_ACCOUNTS = (
    AccountSeed("test-smtp", "email", "smtp", is_sandbox=True),
    AccountSeed("test-twilio", "sms", "twilio", is_sandbox=True),
    AccountSeed("test-firebase", "push", "fcm", is_sandbox=True),
    AccountSeed("test-slack", "slack", "slack_bot", is_sandbox=True),
)

# 555-0100 to 555-0199 are kept for fiction.
RECIPIENTS: Sequence[Mapping[str, Any]] = (
    {
        "id": "ann",
        "email": "ann@demo.example",
        "phone": "+12025550143",
        "devices": [{"token": "ann-phone", "platform": "ios"}],
        "slack": "C024BE91L",
        "locale": "en",
        "timezone": "America/New_York",
    },
    {
        "id": "bob",
        "email": "bob@demo.example",
        "phone": "+12025550164",
        "locale": "en-GB",
        "timezone": "Europe/London",
    },
    {
        "id": "cho",
        "email": "cho@demo.example",
        "phone": "+12025550178",
        "locale": "ko",
        "timezone": "Asia/Seoul",
    },
    {
        "id": "dora",
        "email": "dora@demo.example",
        "phone": "+12025550191",
        "locale": "de",
        "timezone": "Europe/Berlin",
    },
)


def seed() -> Iterator[Step]:
    """Everything, in order. The note of the API key's step holds the key: it is never to be seen again."""
    tenant = yield from furnish()
    yield _api_key(tenant)


def furnish() -> Generator[Step, None, Tenant]:
    """All but an API key; returns the tenant."""
    tenant, step = _tenant()
    yield step
    with tenant_scope(tenant.pk):
        for (what, rows), fill in zip(_contents(tenant).items(), _FILLS, strict=True):
            before = rows.count()
            fill(tenant)
            yield Step(what, str(rows.count()), "created" if rows.count() > before else "there already")
        for code in renew_templates(tenant):
            yield Step("template", code, "updated", "its schema and sample data; its words are as they were")
    for account in DEMO_ACCOUNTS:
        yield _account(account, tenant)
    for account in INSTALLATION_ACCOUNTS:
        yield _account(account, None)
    yield _superuser()
    return tenant


def reset() -> Iterator[Step]:
    """Remove what the demo tenant owns, but for templates, of which published versions never go.

    Those are archived, as by their API: their codes are free, and the next seeding writes them anew.
    """
    tenant = Tenant.objects.filter(slug=SLUG).first()
    if tenant is None:
        yield Step("tenant", SLUG, "skipped", "not there")
        return
    with tenant_scope(tenant.pk):
        offered = Template.objects.filter(tenant=tenant, archived_at=None)
        yield Step("templates", str(offered.update(archived_at=timezone.now())), "archived")
        for model in (m for m in owned_models() if m._meta.app_label != Template._meta.app_label):
            count, _ = models.QuerySet(model).filter(tenant=tenant).delete()
            if count:
                yield Step(str(model._meta.verbose_name_plural), str(count), "removed")
    yield Step("tenant", SLUG, "kept", "its archived templates belong to it")


def status() -> Iterator[tuple[str, str]]:
    """What is there, line by line."""
    tenant = Tenant.objects.filter(slug=SLUG).first()
    yield "tenant", SLUG if tenant else "missing"
    if tenant is None:
        return
    for what, rows in _contents(tenant).items():
        yield what, str(rows.count())
    for account in ProviderAccount.objects.filter(models.Q(tenant=tenant) | models.Q(tenant=None)):
        yield f"account {account.name}", f"{account.channel} by {account.provider}, health {account.health:g}"
    for key in ApiKey.objects.filter(tenant=tenant):
        yield f"key {key}", "valid" if key.is_valid() else "expired or revoked"


def _contents(tenant: Tenant) -> dict[str, models.QuerySet[Any]]:
    return {
        "categories": Category.objects.filter(tenant=tenant),
        "templates": Template.objects.filter(tenant=tenant, archived_at=None),
        "recipients": Recipient.objects.filter(tenant=tenant),
    }


def _tenant() -> tuple[Tenant, Step]:
    tenant = Tenant.objects.filter(slug=SLUG).first()
    if tenant is not None:
        return tenant, Step("tenant", SLUG, "there already")
    return create_tenant(slug=SLUG, name="Demo Shop"), Step("tenant", SLUG, "created")


def _recipients(tenant: Tenant) -> None:
    described = ({**person, **_urls(person["id"])} for person in RECIPIENTS)
    merge(tenant, [RecipientFields.model_validate(person) for person in described])


def _urls(id: object) -> dict[str, str]:
    """Addresses that are places at the sandbox; Ann has one of each kind."""
    url = settings.SANDBOX_URL
    places = {"discord": f"{url}/discord/api/webhooks/1/ann", "webhook": f"{url}/hooks/ann"}
    return places if id == "ann" else {}


# In the order of `_contents`. Each is idempotent: the rows before and after tell whether it did anything.
_FILLS: tuple[Callable[[Tenant], object], ...] = (create_default_categories, seed_templates, _recipients)


def _account(seed: AccountSeed, tenant: Tenant | None) -> Step:
    """Settings are set anew each time: the sandbox may have moved to other ports."""
    row = ProviderAccount.objects.filter(tenant=tenant, name=seed.name).first()
    done: Done = "created" if row is None else "there already"
    row = row or ProviderAccount(tenant=tenant, name=seed.name)
    before = row.settings
    row.channel, row.provider, row.is_sandbox = seed.channel, seed.provider, seed.is_sandbox
    row.priority = seed.priority
    row.secrets = b""  # all are given anew, so an account whose key is lost is well again
    accounts.set_settings(row, sandboxed.settings_of(seed.channel, seed.provider, seed.name))
    row.save()
    if done == "there already" and before != row.settings:
        done = "updated"
    return Step("account", seed.name, done, f"{seed.channel} by {seed.provider}")


def _superuser() -> Step:
    users = User.objects
    if not settings.DEMO:
        return Step("superuser", ADMIN, "skipped", "DEMO is off: use `manage.py createsuperuser`")
    if users.filter(username=ADMIN).exists():
        return Step("superuser", ADMIN, "there already")
    users.create_superuser(ADMIN, "admin@demo.example", ADMIN)
    return Step("superuser", ADMIN, "created", "PASSWORD admin: ANYBODY CAN LOG IN. Demonstrations only!")


def _api_key(tenant: Tenant) -> Step:
    known = ApiKey.objects.filter(tenant=tenant, name=SLUG, revoked_at=None).first()
    if known is not None:
        return Step("API key", str(known), "there already", "only its hash is kept; see create_api_key")
    _, secret = ApiKey.issue(tenant=tenant, name=SLUG, scopes=list(SCOPES))
    return Step("API key", secret, "created", "shown this once")
