"""An OpenID Connect provider, as far as its keys go: a real HTTP server that publishes them."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

AUDIENCE = "carillon"


class IdentityProvider:
    """`keys` by their ids; `asked` says how often it has shown them."""

    def __init__(self) -> None:
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.asked = 0
        self.well = True
        self.server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.rotate("first")

    def rotate(self, key_id: str) -> None:
        """From here on it signs with a key of that name."""
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())

    def issuer(self, tenant: str, **over: Any) -> str:
        """What `OIDC_ISSUERS` says of it."""
        said = {"issuer": self.url, "audience": AUDIENCE, "keys": f"{self.url}/keys", "tenant": tenant}
        return json.dumps([{**said, **over}])

    def token(self, subject: str, seconds: int = 60, **over: Any) -> str:
        key_id = next(reversed(self.keys))
        expires_at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": subject, "exp": expires_at}
        kept = {name: value for name, value in {**claims, **over}.items() if value is not None}
        return jwt.encode(kept, self.keys[key_id], algorithm="ES256", headers={"kid": key_id})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                self.send_response(200 if provider.well else 500)
                self.end_headers()
                self.wfile.write(provider.published())

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def published(self) -> bytes:
        named = {id: ECAlgorithm.to_jwk(key.public_key(), as_dict=True) for id, key in self.keys.items()}
        return json.dumps({"keys": [{**key, "kid": id, "use": "sig"} for id, key in named.items()]}).encode()


@contextmanager
def running_provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()
    thread.join()
