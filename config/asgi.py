"""What the web process serves: HTTP by Django, the live feed by Channels.

A socket shows a token and no cookie counts on it, so a page of any origin may open one, as the pages of our
tenants do; and so may it open an event stream.
"""

import logging
import os

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django.setup(set_prefix=False)  # first: what follows imports models

from config.draining import before_the_end  # noqa: E402
from config.handler import PooledHandler, Receive, Scope, Send  # noqa: E402
from config.limits import raise_open_files  # noqa: E402
from notifications.realtime import streaming  # noqa: E402
from notifications.realtime.consumers import FeedConsumer  # noqa: E402
from notifications.realtime.subscription import doors  # noqa: E402
from tenants.logging import without_tokens  # noqa: E402

# Sockets are written to the first, whether or not there is an access log. LOGGING cannot say this: what it
# names loses its handlers, and with them `--access-log`.
for name in ("uvicorn.error", "uvicorn.access", "django.request"):
    logging.getLogger(name).addFilter(without_tokens)

raise_open_files()
requests = PooledHandler(settings.WEB_THREADS)


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    """A browser's question whether another origin's page may have the stream is answered as for any path."""
    streams = scope["path"] == streaming.PATH and scope["method"] != "OPTIONS"
    await (streaming.event_stream if streams else requests)(scope, receive, send)


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    before_the_end(lambda: doors.empty(settings.FEED_DRAIN_SECONDS))
    await requests(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "lifespan": lifespan,
        "http": http,
        "websocket": URLRouter([path("ws/notifications/", FeedConsumer.as_asgi())]),  # type: ignore[arg-type, list-item]
    }
)
