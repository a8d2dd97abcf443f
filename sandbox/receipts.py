"""Posts vendors' receipts to the application, apart from the requests that caused them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from yarl import URL

logger = logging.getLogger(__name__)

WORKERS = 32
TRIES = 5
BACKOFF_S = 0.25  # then 0.5, 1, 2: long enough for an application that is being restarted
TIMEOUT = aiohttp.ClientTimeout(total=15)


@dataclass(eq=False, slots=True)
class Post:
    """One receipt on its way. `report` hears how each try ended: a status or the error's name.

    `body` is a form's fields, or the bytes as they were signed, whose type the headers say.
    """

    url: str
    body: dict[str, str] | bytes
    headers: dict[str, str]
    report: Callable[[int | str], None]
    tries: int = 0


class Receipts:
    """A fixed number of workers over one queue; a post that waits for its next try holds no worker."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Post] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=WORKERS))
        self._workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._http.close()

    def post(self, post: Post) -> None:
        self._queue.put_nowait(post)

    async def _work(self) -> None:
        while True:
            post = await self._queue.get()
            outcome = await self._try(post)
            post.report(outcome)
            if isinstance(outcome, str) or outcome >= 500:
                self._try_again_later(post)

    async def _try(self, post: Post) -> int | str:
        # Sent exactly as it was signed: yarl would otherwise tidy the URL up.
        url = URL(post.url, encoded=True)
        try:
            async with self._http.post(
                url, data=post.body, headers=post.headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return type(error).__name__

    def _try_again_later(self, post: Post) -> None:
        post.tries += 1
        if post.tries < TRIES:
            asyncio.get_running_loop().call_later(BACKOFF_S * 2 ** (post.tries - 1), self.post, post)
        else:
            logger.warning("receipt given up", extra={"tries": post.tries})
