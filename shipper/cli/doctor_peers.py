"""Other log agents on this host, and which of our files they read too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from shipper.adapters.host_processes import Program, open_files, programs
from shipper.config import load
from shipper.config.translate import translate
from shipper.core.diagnosis_state import Peer
from shipper.core.evidence import Seen
from shipper.core.patterns import compile_patterns
from shipper.errors import ShipperError


class _Agent(NamedTuple):
    """A log agent: how its process is known, and where its configuration stands unless its arguments say."""

    name: str
    default_config: str = ""


# By the beginning of the program's name: the kernel and some packages cut it short.
_AGENTS: Final = {
    "filebeat": _Agent("Filebeat", "/etc/filebeat/filebeat.yml"),
    "fluent-bit": _Agent("Fluent Bit", "/etc/fluent-bit/fluent-bit.conf"),
    "td-agent-bit": _Agent("Fluent Bit", "/etc/td-agent-bit/td-agent-bit.conf"),
    "vector": _Agent("Vector", "/etc/vector/vector.yaml"),
    "promtail": _Agent("Promtail", "/etc/promtail/config.yml"),
    "alloy": _Agent("Grafana Alloy"),
    "grafana-agent": _Agent("Grafana Agent"),
    "otelcol": _Agent("OpenTelemetry Collector"),
    "oneagentlog": _Agent("OneAgent log module"),
    "fluentd": _Agent("Fluentd"),
    "td-agent": _Agent("Fluentd"),
    "logstash": _Agent("Logstash"),
    "amazon-cloudwatch-agent": _Agent("CloudWatch agent"),
    "datadog-agent": _Agent("Datadog agent"),
    "splunkd": _Agent("Splunk forwarder"),
    "elastic-agent": _Agent("Elastic Agent"),
    "shipper": _Agent("another shipper"),
}
_CONFIG_FLAGS: Final = ("-c", "--config", "-config.file", "--config.file", "--config-yaml", "-C")


def other_agents(seen: Sequence[Seen], *, but: int = 0) -> tuple[list[Peer], list[str]]:
    """Return those that read files of *seen*, and what the others that run are called; *but* is our own process."""
    ours = {(one.device, one.inode): one.path for one in seen if one.source is not None}
    found, elsewhere = list[Peer](), list[str]()
    for program in programs():
        agent = _agent(program)
        if agent is None or program.pid == but:
            continue
        shared = sorted({ours[one.device, one.inode] for one in open_files(program.pid)
                         if (one.device, one.inode) in ours and not one.writes})  # fmt: skip
        if shared:
            found.append(Peer(agent.name, program.pid, tuple(shared), "it has them open"))
            continue
        for config in _configs(program, agent):
            named = _named_by(config, ours.values())
            if named:
                found.append(Peer(agent.name, program.pid, named, f"{config} names them"))
                break
        else:
            elsewhere.append(f"{agent.name} (process {program.pid})")
    return found, elsewhere


def _agent(program: Program) -> _Agent | None:
    names = [program.name]
    if program.is_interpreter:  # known by the script that it runs
        names = [part.rpartition("/")[2] for part in program.command[1:4]]
    for name in names:
        agent = next((agent for begin, agent in _AGENTS.items() if name.startswith(begin)), None)
        if agent is not None and (agent.name != "another shipper" or "run" in program.command):
            return agent
    return None


def _configs(program: Program, agent: _Agent) -> Iterator[Path]:
    arguments = list(program.command)
    for number, argument in enumerate(arguments):
        flag, mark, value = argument.partition("=")
        if flag in _CONFIG_FLAGS:
            named = value if mark else arguments[number + 1] if number + 1 < len(arguments) else ""
            # As that process sees it: relative names, and another root in a container.
            here = Path(f"/proc/{program.pid}/cwd") / named
            if named and not named.startswith("-"):
                yield Path(named) if named.startswith("/") else here
    if agent.default_config:
        yield Path(agent.default_config)


def _named_by(config: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return which of *paths* the peer's *config* names; nothing where it cannot be read or translated."""
    try:
        text = translate(config).yaml
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "agent.yaml"
            path.write_text(text, encoding="utf-8")
            sources = load(path, {}).sources
    except (ShipperError, OSError):
        return ()
    patterns = [one for source in sources for text in source.paths for one in compile_patterns(text)]
    return tuple(sorted(path for path in paths if any(one.regex.fullmatch(path) for one in patterns)))
