"""`shipper schema`: the JSON Schema of agent.yaml, for editors and for tools that write it."""

from __future__ import annotations

import json

import click

from shipper.config.schema import document_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of agent.yaml (draft 2020-12).

    An editor that knows it completes keys and marks wrong ones: put
    `# yaml-language-server: $schema=FILE` on the first line.
    """
    click.echo(json.dumps(document_schema(), indent=2, ensure_ascii=False))
