"""What `shipper check` found, for people: a table a source, then what is to be done."""

from __future__ import annotations

from collections import Counter
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shipper.cli.check_diff import Difference
from shipper.cli.check_report import Finding, Report, SourceReport
from shipper.cli.narrow import fitting

_STYLES: Final = {"failed": "bold red", "warning": "yellow", "note": "green"}
_SHOWN: Final = 10
_SHOWN_CHANGES: Final = 200


def print_report(report: Report, out: Console) -> None:
    """Print all that was found, what failed last: that is where the eye is."""
    count = len(report.sources)
    out.print(f"{escape(report.config)}: {count} source{'' if count == 1 else 's'}", soft_wrap=True)
    for source in report.sources:
        out.print()
        out.print(_heading(source), style="bold")
        out.print(_source_table(source))
        _print_skipped(source, out)
        _print_tests(source, out)
        _print_findings(source.findings, out, "  ")
    if report.overlaps:
        out.print()
        out.print("files that several sources match belong to the first:", style="bold")
        for overlap in report.overlaps[:_SHOWN]:
            others = escape(", ".join(overlap.others))
            out.print(f"  {escape(overlap.path)}: {escape(overlap.owner)}, not {others}", soft_wrap=True)
        _print_rest(len(report.overlaps), out)
    out.print()
    _print_findings(report.findings, out, "")
    levels = Counter(finding.level for finding in report.all_findings)
    out.print(f"failed checks: {levels['failed']}, warnings: {levels['warning']}")


def _heading(source: SourceReport) -> str:
    files = f"{source.files} files" if source.files != 1 else "1 file"
    layouts = f" ({source.rules} layouts)" if source.rules > 1 else ""
    return f"{escape(source.name)}: {files}, format {escape(source.format)}{layouts}"


def _source_table(source: SourceReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("  pattern", overflow="fold")
    table.add_column("matches", justify="right")
    for row in source.patterns:
        table.add_row("  " + escape(row.pattern), str(row.files))
    return table


def _print_skipped(source: SourceReport, out: Console) -> None:
    skipped = [one for one in source.skipped if not one.mend]
    for one in skipped[:_SHOWN]:
        out.print(f"  skipped {escape(one.path)}: {escape(one.reason)}", soft_wrap=True)
    _print_rest(len(skipped), out)


def _print_tests(source: SourceReport, out: Console) -> None:
    if not source.tests:
        return
    passed = sum(not test.differences for test in source.tests)
    out.print(f"  {passed} of {len(source.tests)} tests passed")


def _print_findings(findings: list[Finding], out: Console, indent: str) -> None:
    for finding in findings:
        label = "ok" if finding.level == "note" else finding.level
        text = f"{indent}[{_STYLES[finding.level]}]{label}[/] {escape(finding.text)}"
        out.print(text, overflow="fold", soft_wrap=not out.is_terminal)
        if finding.mend:
            # Commands are copied from here: the terminal wraps them, not we.
            out.print(f"{indent}  mend it with: {escape(finding.mend)}", soft_wrap=True)


def _print_rest(count: int, out: Console) -> None:
    if count > _SHOWN:
        out.print(f"  ... and {count - _SHOWN} more (--json names all)")


def print_difference(difference: Difference, out: Console) -> None:
    """Print what changes, in file order."""
    sources = difference.source
    if difference.other_source != sources:
        sources += f", then {difference.other_source}"
    out.print(
        f"{escape(difference.file)} (source {escape(sources)}): {difference.records} records, "
        f"then {difference.other_records}"
    )
    if not difference.changes:
        out.print("nothing changes")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("line", justify="right")
    for column in ("what", "before", "after"):
        table.add_column(column, overflow="fold")
    for change in difference.changes[:_SHOWN_CHANGES]:
        table.add_row(str(change.line), change.what, escape(change.before), escape(change.after))
    out.print(fitting(table, out))
    if len(difference.changes) > _SHOWN_CHANGES:
        out.print(f"... and {len(difference.changes) - _SHOWN_CHANGES} more (--json names all)")
    counts = Counter(change.what for change in difference.changes)
    out.print(", ".join(f"{what}: {count}" for what, count in sorted(counts.items())))
