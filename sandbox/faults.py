"""How a vendor, or one account at it, misbehaves, and for how many requests."""

import random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RECEIPT_DELAY_MS = 100


class Fault(BaseModel):
    """The body of `PUT /api/faults/{name}`; the default is a vendor that is well.

    `status` (an HTTP status; other protocols answer their nearest), `reject` (this recipient, for good) and
    `accept_then_timeout` (message kept, answer never sent) exclude each other. `error_rate` is the share of
    requests they strike, all when left out; alone it means status 503. `latency_ms` is waited before each
    answer, after a good message was kept. `duplicate_receipts` is how many more times each receipt comes;
    `receipt: none` sends no receipts at all, `receipt: read` also one that it was opened, where the vendor
    tells that. After `times` requests the fault is gone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: int = Field(default=0, ge=0, le=600_000)
    error_rate: float = Field(default=1.0, ge=0, le=1)
    status: int | None = Field(default=None, ge=400, le=599)
    retry_after: int | None = Field(default=None, ge=0, le=86_400, description="seconds")
    accept_then_timeout: bool = False
    reject: bool = False
    receipt: Literal["delivered", "read", "failed", "none"] = "delivered"
    receipt_delay_ms: int = Field(default=RECEIPT_DELAY_MS, ge=0, le=86_400_000)
    duplicate_receipts: int = Field(default=0, ge=0, le=100)
    times: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _at_most_one_failure(self) -> Self:
        failures = [name for name in ("status", "reject", "accept_then_timeout") if getattr(self, name)]
        if len(failures) > 1:
            raise ValueError(f"choose one of {', '.join(failures)}")
        return self

    @property
    def failure_status(self) -> int | None:
        """The status to answer with; an `error_rate` that says nothing of how to fail means 503."""
        undecided = "error_rate" in self.model_fields_set and not (self.reject or self.accept_then_timeout)
        return self.status or (503 if undecided else None)

    def spared(self) -> "Fault":
        """The same fault for a request that `error_rate` passes by: slow perhaps, but not failing."""
        fields = self.model_dump(
            exclude_unset=True,
            exclude={"status", "reject", "accept_then_timeout", "error_rate"},
        )
        return Fault(**fields)


WELL = Fault()


class Faults:
    """Faults by provider or account name; an account's own goes before its provider's."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}

    def set(self, name: str, fault: Fault) -> None:
        self._faults[name] = fault

    def all(self) -> dict[str, Fault]:
        return dict(self._faults)

    def clear(self, name: str | None = None) -> None:
        if name is None:
            self._faults.clear()
        else:
            self._faults.pop(name, None)

    def find(self, account: str, provider: str) -> Fault:
        """What would strike the next request; uses up nothing."""
        return self._faults.get(account) or self._faults.get(provider) or WELL

    def take(self, account: str, provider: str) -> Fault:
        """What happens to this request, dice thrown and one of `times` used up."""
        fault = self.find(account, provider)
        if fault is WELL:
            return fault
        if fault.times is not None:
            self._use_up(account if account in self._faults else provider, fault.times - 1)
        strikes = random.random() < fault.error_rate
        return fault if strikes else fault.spared()

    def _use_up(self, name: str, left: int) -> None:
        if left:
            self._faults[name] = self._faults[name].model_copy(update={"times": left})
        else:
            del self._faults[name]
