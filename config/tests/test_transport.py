"""What is left of a broker's connection when the broker has gone away."""

from __future__ import annotations

import pytest
from celery import current_app
from kombu.transport.virtual import Channel

pytestmark = pytest.mark.django_db

QUEUE = "bulk"


def test_it_works() -> None:
    current_app.send_task("any", queue=QUEUE)
    with current_app.connection_for_read() as connection:
        channel = connection.default_channel
        assert isinstance(channel, Channel)
        message = channel.basic_get(QUEUE)
        assert message is not None
        message.ack()
        assert channel.basic_get(QUEUE) is None


def test_it_says_that_the_connection_of_a_channel_is_lost() -> None:
    connection = current_app.connection_for_read()
    channel = connection.default_channel
    assert isinstance(channel, Channel)
    connection.collect()  # as a worker does that has lost its broker
    with pytest.raises(connection.connection_errors, match="given up"):
        channel.basic_get(QUEUE)
