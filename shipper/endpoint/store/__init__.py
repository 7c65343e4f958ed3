"""The endpoint's event store; `docs/endpoint-store.md` says how it is laid out and what was compared."""

from shipper.endpoint.store.cursor import Order
from shipper.endpoint.store.matching import Mapper, Outline
from shipper.endpoint.store.store import Store
from shipper.endpoint.store.tail import Subscription
from shipper.endpoint.store.trouble import BadCursor, StoreFull

__all__ = ["BadCursor", "Mapper", "Order", "Outline", "Store", "StoreFull", "Subscription"]
