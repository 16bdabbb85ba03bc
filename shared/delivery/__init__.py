"""The one delivery pipeline: a channel supplies its address, its content and its providers."""

from shared.delivery.channel import Address, ChannelKind
from shared.delivery.provider import Provider, Receipt
from shared.delivery.unconfigured import UnconfiguredProvider
from shared.delivery.worker import DeliverySettings, SendRate, delivery_resources

__all__ = [
    "Address",
    "ChannelKind",
    "DeliverySettings",
    "Provider",
    "Receipt",
    "SendRate",
    "UnconfiguredProvider",
    "delivery_resources",
]
