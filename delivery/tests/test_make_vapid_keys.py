from __future__ import annotations

from io import StringIO

from django.core.management import call_command
from py_vapid import Vapid02
from py_vapid.jwt import decode
from pydantic import SecretStr

from delivery.providers.push.vapid import authorization


def test_it_works() -> None:
    said = StringIO()
    call_command("make_vapid_keys", stdout=said)
    keys = dict(line.split(":", 1) for line in said.getvalue().splitlines()[:2])
    signed = authorization(
        SecretStr(keys["private key"].strip()), "mailto:a@shop.example", "https://x.example"
    )
    assert Vapid02.verify(signed)
    token = signed.partition("t=")[2].partition(",")[0]
    assert decode(token, keys["public key"].strip())["aud"] == "https://x.example"
