"""`shipper endpoint`: the command of the endpoint's own room."""

from shipper.endpoint.command import endpoint

__all__ = ["endpoint"]
