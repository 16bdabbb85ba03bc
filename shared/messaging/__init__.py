"""RabbitMQ: the topology as data, one link that heals, a confirmed publisher, a consumer."""

from shared.messaging.consumer import Consumer
from shared.messaging.delivery import Delivery
from shared.messaging.link import Link
from shared.messaging.outgoing import Outgoing
from shared.messaging.publisher import Publisher

__all__ = ["Consumer", "Delivery", "Link", "Outgoing", "Publisher"]
