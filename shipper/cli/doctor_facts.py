"""Gathers what `shipper doctor` judges: the facts of this host, this configuration and its state."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Final, NamedTuple

from shipper.adapters import host
from shipper.adapters import host_processes as processes
from shipper.adapters.dead_letters import DIRECTORY as LETTERS
from shipper.adapters.discovery import Scan
from shipper.adapters.files import effective_user, mending_command
from shipper.adapters.offsets_look import Look, holder_of, look_at_state
from shipper.adapters.watch import SILENT_FILE_SYSTEMS, file_system_of
from shipper.cli.check_endpoint import ask, target_of
from shipper.cli.check_files import Files, look_at_state_dir, look_for_files
from shipper.cli.doctor_formats import how_well_read
from shipper.cli.doctor_peers import other_agents
from shipper.config import Config
from shipper.core import diagnosis, diagnosis_endpoint, diagnosis_service, diagnosis_state
from shipper.core.diagnosis import Finding, Place
from shipper.core.patterns import compile_patterns
from shipper.errors import StateError

PACKAGE_USER: Final = "shipper"
UNIT: Final = "shipper.service"


class Scene(NamedTuple):
    """Whose agent is looked at.

    Attributes:
        config: What it runs on.
        user: Who it runs as, or would.
        agent: The process that runs now; None for none.
    """

    config: Config
    user: str
    agent: processes.Program | None

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables of the running agent where they can be read, else those of this shell."""
        found = processes.environment(self.agent.pid) if self.agent is not None else None
        return os.environ if found is None else found


def scene_of(config: Config, user: str | None) -> Scene:
    """Return whose agent it is: *user*'s if given, else the running one's, else the package's, else our own.

    Raises:
        UsageError: There is no such user.
    """
    pid = holder_of(config.state_dir)
    agent = processes.program(pid) if pid else None
    if user is None and agent is not None:
        user = host.user_name(agent.user)
    if user is None:
        own = effective_user()
        user = PACKAGE_USER if own == "root" and host.has_user(PACKAGE_USER) else own
    return Scene(config, user, agent)


def examine(scene: Scene) -> list[Finding]:
    """Return everything that was found, by kind of check.

    Raises:
        UsageError: Only root can look with the rights of the scene's user.
    """
    findings = list(_as_the_agent(scene))
    findings += _limits(scene)
    endpoint = scene.config.endpoint
    asked = asyncio.run(ask(endpoint))
    findings.append(asked.finding)
    findings += diagnosis.clock(asked.skew_seconds, host.clock_is_kept())
    findings += _service(scene)
    variables, used = host.proxy_variables(scene.environ), host.proxy_for(endpoint.url, scene.environ)
    findings += diagnosis_endpoint.proxies(target_of(endpoint), variables, used)
    return findings


def _as_the_agent(scene: Scene) -> Iterator[Finding]:
    """What the agent's user may read and write, and what stands in there."""
    config = scene.config
    with ExitStack() as stack:
        free = scene.agent is not None and processes.reads_everything(scene.agent.pid)
        if not free:
            stack.enter_context(host.acting_as(scene.user))
        yield from _configuration(scene)
        found = look_for_files(config, time.time_ns())
        yield from _permissions(scene, found, free=free)
        fits, unread = how_well_read(config, found.scan.seen, socket.gethostname())
        yield from diagnosis_state.formats(fits, unread)
        places = _places(found.scan)
        yield from diagnosis.log_file_systems(places, config.limits.scan_seconds)
    with host.acting_as(scene.user):
        yield from _state(scene)
    yield from diagnosis_state.peers(*other_agents(found.scan.seen, but=scene.agent.pid if scene.agent else 0))
    yield from _watches(scene, len(found.scan.directories - _silent(places)))


def _configuration(scene: Scene) -> Iterator[Finding]:
    path, count = scene.config.path, len(scene.config.sources)
    if os.access(path, os.R_OK, effective_ids=True):
        noun = "source" if count == 1 else "sources"
        yield Finding("configuration", "ok", f"{path}: {count} {noun}; the agent's user is {scene.user}")
    else:
        text = f"{path}: {scene.user} may not read it"
        yield Finding("configuration", "fail", text, "the agent does not start", mending_command(str(path)))


def _permissions(scene: Scene, found: Files, *, free: bool) -> Iterator[Finding]:
    for source, files in zip(scene.config.sources, found.sources, strict=True):
        for one in files.findings:
            if one.mend:
                why = "its lines wait; they are read from where they stand once it may be read"
                yield Finding("permissions", "fail", one.text, why, one.mend)
            else:
                yield Finding("files", "warn", f"source {source.name}: {one.text}")
    count = len(found.scan.seen)
    right = "it has the capability for that" if free else f"{scene.user} may"
    yield Finding("permissions", "ok", f"{count} {'file' if count == 1 else 'files'} can be read: {right}")


def _state(scene: Scene) -> Iterator[Finding]:
    config = scene.config
    cannot = look_at_state_dir(config.state_dir)
    for one in cannot:
        yield Finding("state", "fail", one.text, "the agent does not start", one.mend)
    nearest = next(place for place in (config.state_dir, *config.state_dir.parents) if place.exists())
    yield from diagnosis.state_file_system(_place(str(nearest), str(config.state_dir)))
    free_bytes, free_inodes = host.free_space(config.state_dir)
    wanted = config.dead_letters.max_bytes + config.limits.spill_bytes
    yield from diagnosis.disk(diagnosis.Room(str(config.state_dir), free_bytes, free_inodes, wanted))
    if cannot:
        return
    try:
        look = look_at_state(config.state_dir)
    except StateError as error:
        yield Finding("state", "fail", str(error), "the agent does not start")
        return
    yield from diagnosis_state.state(_state_facts(scene, look))


def _state_facts(scene: Scene, look: Look) -> diagnosis_state.StateFacts:
    config = scene.config
    holder = str(scene.agent) if scene.agent is not None else f"process {look.holder or 'unknown'}"
    return diagnosis_state.StateFacts(
        path=str(config.state_dir), exists=look.exists, user=scene.user, owner=host.user_name(look.owner),
        holder="" if look.holder is None else holder, damage=look.damage, newer=look.newer, files=look.files,
        copy_age_seconds=None if look.copied_at is None else time.time() - look.copied_at, set_aside=look.set_aside,
        letters_bytes=sum(path.stat().st_size for path in (config.state_dir / LETTERS).glob("*.ndjson")),
        letters_most=config.dead_letters.max_bytes, letters_stop=config.dead_letters.when_full == "stop",
    )  # fmt: skip


def _limits(scene: Scene) -> Iterator[Finding]:
    most = host.descriptor_limit(scene.agent.pid) if scene.agent is not None else None
    running = most is not None
    facts = diagnosis.Descriptors(
        most if most is not None else host.descriptor_limit() or 0,
        scene.config.limits.open_files, scene.config.endpoint.concurrency, running,
    )  # fmt: skip
    yield from diagnosis.descriptors(facts)


def _service(scene: Scene) -> Iterator[Finding]:
    """What the package's service may not see; nothing where the agent is no service."""
    settings = host.unit_settings(UNIT, diagnosis_service.SETTINGS) if scene.user == PACKAGE_USER else None
    if settings is None:
        return
    folders = [
        (pattern.prefix, source.name)
        for source in scene.config.sources
        for text in source.paths
        for pattern in compile_patterns(text)
    ]
    endpoint = scene.config.endpoint
    yield from diagnosis_service.service(
        diagnosis_service.Service(UNIT, settings, folders, endpoint.host, endpoint.is_loopback)
    )


def _watches(scene: Scene, directories: int) -> Iterator[Finding]:
    user = scene.agent.user if scene.agent is not None else os.geteuid()
    instances, watches = processes.watches_of(user, scene.agent.pid if scene.agent is not None else None)
    yield from diagnosis.watches(
        diagnosis.Watches(
            needed=directories + 1,
            max_watches=host.kernel_setting("fs.inotify.max_user_watches"),
            max_instances=host.kernel_setting("fs.inotify.max_user_instances"),
            max_queued=host.kernel_setting("fs.inotify.max_queued_events"),
            used_watches=watches,
            used_instances=instances,
            scan_seconds=scene.config.limits.scan_seconds,
        )
    )


def _places(scan: Scan) -> list[Place]:
    """Return the directories with logs, one for each file system that is not an ordinary one."""
    found = [_place(path, path) for path in sorted(scan.directories)]
    odd = {place.kind: place for place in reversed(found) if place.silent}
    return [*odd.values(), *(place for place in found if not place.silent)]


def _silent(places: list[Place]) -> set[str]:
    return {place.path for place in places if place.silent}


def _place(path: str, shown: str) -> Place:
    kind = file_system_of(path)
    return Place(shown, kind, kind in SILENT_FILE_SYSTEMS or kind.startswith("fuse."))
