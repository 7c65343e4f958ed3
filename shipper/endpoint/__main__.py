"""`python -m shipper.endpoint`: the command without the rest of the command line."""

from __future__ import annotations

import sys

import click

from shipper.endpoint.command import endpoint
from shipper.errors import ShipperError


def main() -> None:
    """Run the command; every expected error ends in one line and its exit code."""
    try:
        status = endpoint.main(prog_name="shipper endpoint", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ShipperError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
