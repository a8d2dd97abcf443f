"""The channels, in the order people name them."""

from tenants.channels import CHANNELS

__all__ = ["CHANNELS"]
