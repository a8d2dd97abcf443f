"""A service account of nobody's, and the endpoint that grants it tokens."""

from __future__ import annotations

import json
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from delivery.tests.contract import Answer, json_answer

PROJECT = "shop"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def service_account(project: str = PROJECT) -> str:
    """https://cloud.google.com/iam/docs/keys-create-delete"""
    pem = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return json.dumps(
        {
            "type": "service_account",
            "project_id": project,
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": f"carillon@{project}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


def granted(token: str = "ya29.first", expires_in: int = 3599) -> Answer:
    return json_answer(200, {"access_token": token, "expires_in": expires_in, "token_type": "Bearer"})
