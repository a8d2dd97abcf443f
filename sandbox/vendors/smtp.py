"""Any mail server: SMTP (RFC 5321) with AUTH (RFC 4954) and enhanced status codes (RFC 3463)."""

import asyncio
import logging
import re
from functools import partial
from typing import Any, AnyStr
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sandbox import magic, mime
from sandbox.faults import WELL, Fault
from sandbox.store import Message
from sandbox.vendor import Vendor, never_answer

HOSTNAME = "sandbox.carillon.test"
MAX_MESSAGE_BYTES = 25 * 1024 * 1024
PLAIN_ADDRESS = re.compile(r"<([\w.+=-]+@[\w.-]+)>(.*)", re.ASCII)

# An HTTP status of a fault, as a mail server would put it. Classes: RFC 5321 section 4.2, RFC 3463 section 3.
REFUSALS = {
    401: "530 5.7.0 Authentication required",
    403: "550 5.7.1 Sender not permitted",
    429: "450 4.7.1 Too many messages, slow down",
    503: "421 4.3.2 Service not available, closing transmission channel",
    507: "452 4.3.1 Insufficient system storage",
}
SERVER_ERROR = "451 4.3.0 Requested action aborted: local error in processing"
CLIENT_ERROR = "554 5.5.0 Transaction failed"

UNKNOWN_MAILBOX = "550 5.1.1 The email account that you tried to reach does not exist"
DEFERRED_MAILBOX = "451 4.2.1 The mailbox is receiving mail at too fast a rate, try again later"


# aiosmtpd warns of its own deprecations at every login.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class MailEnvelope(Envelope):
    fault: Fault = WELL


class MailConnection(SMTP):
    """One client's connection; it closes after a 421 as RFC 5321 asks."""

    # How far the reader looks for the end of a line or a mail.
    line_length_limit = 2 * MAX_MESSAGE_BYTES

    def _create_envelope(self) -> MailEnvelope:
        return MailEnvelope()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """A plain `<ann@example.com> SIZE=42` at once; the full grammar is far slower."""
        if plain := PLAIN_ADDRESS.fullmatch(arg):
            return plain[1], plain[2].strip()
        return super()._getaddr(arg)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - the library's name
        """The same dialogue as the library's, reading the mail at once instead of line by line."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if arg or not self.envelope.rcpt_tos:
            await self.push("501 Syntax: DATA" if arg else "503 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = await self._until_dot()
        if content is None:
            await self.push("552 5.3.4 Message too big for system")
        else:
            self.envelope.content = self.envelope.original_content = content
            await self.push(await self._call_handler_hook("DATA"))
        self.envelope = self._create_envelope()

    async def _until_dot(self) -> bytes | None:
        """The mail without its stuffed dots (RFC 5321 section 4.5.2); None for one over the size limit."""
        content = bytearray(b"\r\n")
        too_big = False
        while not content.endswith(b"\r\n.\r\n"):
            content += await self._reader.readuntil(b".\r\n")
            if len(content) > MAX_MESSAGE_BYTES:
                too_big = True
                del content[:-5]
        return None if too_big else bytes(content[:-3]).replace(b"\r\n..", b"\r\n.")[2:]

    async def push(self, status: AnyStr) -> None:
        await super().push(status)
        if status[:3] in ("421", b"421") and self.transport is not None:
            self.transport.close()


class SmtpVendor(Vendor):
    """A fault is taken once a message, at MAIL. One message is kept for each accepted recipient."""

    name = "smtp"
    channel = "email"
    default_port = 1025

    async def listen(self, host: str, port: int) -> int:
        self._connections: WeakSet[MailConnection] = WeakSet()
        self._server = await asyncio.get_running_loop().create_server(self._connection, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.close()
        await self._server.wait_closed()

    def _connection(self) -> MailConnection:
        connection = MailConnection(
            self,
            hostname=HOSTNAME,
            ident="Carillon sandbox",
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._connections.add(connection)
        return connection

    def _authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _how: str, who: LoginPassword
    ) -> AuthResult:
        """Anybody may log in, unless a fault says 401."""
        account = who.login.decode("utf-8", "replace")
        if self.faults.find(account, self.name).failure_status == 401:
            refused = self.faults.take(account, self.name).failure_status == 401
            return AuthResult(success=not refused, handled=False, auth_data=who)
        return AuthResult(success=True, auth_data=who)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd finds its hooks by these names
        self, _server: SMTP, session: Session, envelope: MailEnvelope, address: str, options: list[str]
    ) -> str:
        envelope.fault = self.faults.take(account_of(session), self.name)
        if (status := envelope.fault.failure_status) is not None:
            await asyncio.sleep(envelope.fault.latency_ms / 1000)
            return refusal(status, envelope.fault.retry_after)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: MailEnvelope, address: str, options: list[str]
    ) -> str:
        fate = magic.email_fate(address)
        if envelope.fault.reject or fate is magic.Fate.BOUNCE:
            return UNKNOWN_MAILBOX
        if fate is magic.Fate.DEFER:
            return DEFERRED_MAILBOX
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: MailEnvelope
    ) -> str:
        for recipient in envelope.rcpt_tos:
            self._keep(account_of(session), envelope, recipient)
        if envelope.fault.accept_then_timeout:
            await never_answer()
        if envelope.fault.latency_ms:
            await asyncio.sleep(envelope.fault.latency_ms / 1000)
        return "250 2.0.0 OK queued"

    def _keep(self, account: str, envelope: MailEnvelope, recipient: str) -> None:
        source = envelope.original_content or b""
        said = {"mail_from": envelope.mail_from, "rcpt_to": list(envelope.rcpt_tos)}
        self.store.add(
            Message(
                channel=self.channel,
                provider=self.name,
                account=account,
                to=recipient,
                sender=envelope.mail_from or "",
                size=len(source),
                parse=partial(mime.parse, source, said),
            )
        )


def account_of(session: Session) -> str:
    """The user name of AUTH, or `smtp` for a client that did not log in."""
    who: object = session.auth_data
    return who.login.decode("utf-8", "replace") if isinstance(who, LoginPassword) else SmtpVendor.name


def refusal(status: int, retry_after: int | None) -> str:
    reply = REFUSALS.get(status, SERVER_ERROR if status >= 500 else CLIENT_ERROR)
    return reply if retry_after is None else f"{reply}; try again in {retry_after} seconds"
