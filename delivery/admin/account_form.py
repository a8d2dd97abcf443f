"""The form of a provider account: its columns, and the settings that its provider asks for."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from pydantic import SecretStr, ValidationError

from delivery.accounts import secret_fields, set_settings, settings_of
from delivery.admin.setting_fields import FORGET, PREFIX, given_settings, setting_fields
from delivery.models import ProviderAccount
from delivery.providers.base import Provider, ProviderMisconfigured
from tenants.admin.base import ModelForm


class AccountForm(ModelForm[ProviderAccount]):
    """`provider` is whose settings it asks for; None when the account's provider is no longer installed."""

    provider: ClassVar[type[Provider] | None] = None

    def _post_clean(self) -> None:
        """After the columns are on the account: keep the settings with it, or say what is wrong with them."""
        super()._post_clean()  # type: ignore[misc]  # Django's hook for exactly this, without a public name
        provider = self.provider
        if provider is None or any(name.startswith((PREFIX, FORGET)) for name in self.errors):
            return
        self.instance.channel, self.instance.provider = provider.channel, provider.name
        try:
            set_settings(self.instance, given_settings(provider.Settings, self.cleaned_data))
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False):
                field = PREFIX + str(item["loc"][0]) if item["loc"] else ""
                self.add_error(field if field in self.fields else None, item["msg"])
        except ProviderMisconfigured as error:
            self.add_error(None, str(error))


def account_form(provider: type[Provider] | None, account: ProviderAccount | None) -> type[AccountForm]:
    """The form class for this provider, filled with what the account has."""
    fields = {} if provider is None else _fields(provider, account)
    return type("AccountForm", (AccountForm,), {"provider": provider, **fields})


def _fields(provider: type[Provider], account: ProviderAccount | None) -> dict[str, forms.Field]:
    if account is None:
        return setting_fields(provider.Settings, {}, set())
    return setting_fields(provider.Settings, account.settings, _kept(provider, account))


def _kept(provider: type[Provider], account: ProviderAccount) -> set[str]:
    """The secrets that the account holds; none when they cannot be opened: they are asked for again."""
    try:
        settings = settings_of(account)
    except ProviderMisconfigured:
        return set()
    return {
        name for name in secret_fields(provider.Settings) if isinstance(getattr(settings, name), SecretStr)
    }
