"""The channels, in the order people name them."""

CHANNELS = ("in_app", "email", "sms", "whatsapp", "push", "slack", "discord", "webhook")
