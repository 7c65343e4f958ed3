"""`shipper check`: is this configuration right, and does this host have what it names?"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import click
import msgspec

from shipper.cli.check_diff import compare, source_for
from shipper.cli.check_endpoint import look_at_endpoint
from shipper.cli.check_files import SourceFiles, look_at_room, look_at_state_dir, look_for_files
from shipper.cli.check_report import Finding, Report, SourceReport, TestReport
from shipper.cli.check_rules import compile_all, run_preset_tests, run_tests
from shipper.cli.check_tables import print_difference, print_report
from shipper.cli.completion import source_names
from shipper.cli.state_access import console, json_option, now_ms
from shipper.config import Config, Preset, Source, find, load, load_presets, rules
from shipper.core.rule import Rule
from shipper.errors import UsageError
from shipper.pipeline.guard import MatchGuard


@click.command()
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), help="Default ./agent.yaml, then /etc/shipper."
)
@click.option("--diff", "other_path", metavar="OTHER", type=click.Path(path_type=Path),
              help="Say what would become of FILE's records under this configuration instead.")  # fmt: skip
@click.option("--source", "source_name", metavar="NAME", shell_complete=source_names,
              help="With --diff: read FILE as this source does.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Do not ask the endpoint.")
@json_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
def check(
    config_path: Path | None,
    other_path: Path | None,
    source_name: str | None,
    offline: bool,
    as_json: bool,
    file: Path | None,
) -> int:
    """Validate the configuration; look at the files it names, the rules, the state folder and the endpoint.

    Exit code 0: fine, 1: a check failed, 78: the configuration is wrong. With --diff OTHER FILE, nothing is looked at
    but how the records of FILE would be read under each configuration.
    """
    if (file is None) != (other_path is None):
        raise UsageError("--diff OTHER.yaml and FILE go together")
    config = load(find(config_path), os.environ)
    if file is not None and other_path is not None:
        _print_diff(config, load(other_path, os.environ), file, source_name, as_json=as_json)
        return 0
    if source_name is not None:
        raise UsageError("--source goes with --diff")
    report = examine(config, offline=offline)
    if as_json:
        click.echo(msgspec.json.encode({**msgspec.to_builtins(report), "failed": report.failed}))
    else:
        print_report(report, console())
    return 1 if report.failed else 0


def examine(config: Config, *, offline: bool) -> Report:
    """Return everything that can be found out without starting the agent."""
    files = look_for_files(config, time.time_ns())
    presets = load_presets(config.preset_dirs)
    guard = MatchGuard()
    try:
        sources = [
            _examine_source(config, source, presets, found, guard)
            for source, found in zip(config.sources, files.sources, strict=True)
        ]
        findings = run_preset_tests(config, socket.gethostname(), now_ms(), guard)
    finally:
        guard.close()
    findings += look_at_state_dir(config.state_dir) or look_at_room(config.state_dir)
    if not offline:
        findings.append(asyncio.run(look_at_endpoint(config.endpoint)))
    return Report(str(config.path), str(config.state_dir), config.endpoint.url, sources, files.overlaps, findings)


def _examine_source(
    config: Config, source: Source, presets: dict[str, Preset], files: SourceFiles, guard: MatchGuard
) -> SourceReport:
    rule: Rule = rules(config, source, presets, socket.gethostname())
    count, uncompiled = compile_all(rule)
    tests = run_tests(rule, source.tests, now_ms(), guard) if not uncompiled else []
    return SourceReport(
        name=source.name,
        format=rule.layout,
        rules=count,
        patterns=files.patterns,
        files=files.owned,
        skipped=files.skipped,
        tests=tests,
        findings=[*uncompiled, *(_of_test(test) for test in tests if test.differences), *files.findings],
    )


def _of_test(test: TestReport) -> Finding:
    line = test.line.rstrip("\n").partition("\n")[0]
    shown = line if len(line) <= 80 else line[:77] + "..."
    return Finding("failed", f"tests[{test.number}] {shown!r}: {'; '.join(test.differences)}")


def _print_diff(config: Config, other: Config, file: Path, name: str | None, *, as_json: bool) -> None:
    path = file.absolute()
    sources = (_source(config, path, name), _source(other, path, name))
    difference = compare(config, other, path, sources, socket.gethostname(), now_ms())
    if as_json:
        click.echo(msgspec.json.encode(difference))
    else:
        print_difference(difference, console())


def _source(config: Config, path: Path, name: str | None) -> Source:
    if name is None:
        return source_for(config, path)
    for source in config.sources:
        if source.name == name:
            return source
    names = ", ".join(source.name for source in config.sources)
    raise UsageError(f"{config.path} has no source {name!r}; it has {names}")
