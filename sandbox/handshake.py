"""Asking a webhook, before anything is posted there, whether it is the application's.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
"""

from secrets import randbelow

import aiohttp
from yarl import URL

from sandbox.webhooks import Webhook

TIMEOUT = aiohttp.ClientTimeout(total=10)
LONGEST = 100
"""Bytes of the answer that are looked at."""


async def is_confirmed(webhook: Webhook) -> bool:
    """It shows the verify token by GET, and wants its challenge back."""
    challenge = str(randbelow(2**31))
    query = {
        "hub.mode": "subscribe",
        "hub.challenge": challenge,
        "hub.verify_token": webhook.verify_token,
    }
    address = webhook.address
    url = URL(address.url, encoded=True).update_query(query)
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as http,
            http.get(url, headers=address.headers, allow_redirects=False) as answer,
        ):
            return answer.status == 200 and await answer.content.read(LONGEST) == challenge.encode()
    except (aiohttp.ClientError, TimeoutError):
        return False
