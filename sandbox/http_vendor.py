"""What vendors that speak HTTP share: a fault has its way with a request before, or after, it is answered."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from sandbox.faults import WELL, Fault
from sandbox.vendor import Vendor, never_answer

Answer = Callable[[web.Request, Fault], Awaitable[web.Response]]
Handler = Callable[[web.Request], Awaitable[web.Response]]


class RefusedError(Exception):
    """The vendor's answer to a request that it does not take."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


class HttpVendor(Vendor):
    """Gives `routes` whose handlers are `guarded`, and says whose account a request is and how it fails."""

    def account(self, request: web.Request) -> str:
        """Whose fault strikes; raises `RefusedError` for credentials that the vendor would not take."""
        raise NotImplementedError

    def failure(self, status: int, fault: Fault) -> web.Response:
        """This vendor's way to answer with an HTTP status that says it failed."""
        return web.Response(status=status, headers=retry_after(fault))

    def guarded(self, answer: Answer) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            fault = WELL
            try:
                fault = self.faults.take(self.account(request), self.name)
                status = fault.failure_status
                response = await answer(request, fault) if status is None else self.failure(status, fault)
            except RefusedError as refusal:
                response = refusal.response
            if fault.accept_then_timeout and response.status < 400:
                await never_answer()
            if fault.latency_ms:
                await asyncio.sleep(fault.latency_ms / 1000)
            return response

        return guarded


def json_response(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(document), status=status, headers=headers, content_type="application/json"
    )


def retry_after(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}


def shown(headers: Any) -> dict[str, str]:
    """Without the credentials: the inbox is shown around."""
    return {str(name): value for name, value in headers.items() if name.lower() != "authorization"}
