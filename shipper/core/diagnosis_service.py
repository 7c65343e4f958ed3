"""What the service's sandbox keeps from the agent: it may be told to read what systemd does not let it see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from shipper.core.diagnosis import Finding

SETTINGS: Final = ("LoadState", "ProtectHome", "PrivateTmp", "IPAddressDeny", "IPAddressAllow")
"""What is asked of systemd. Source: systemd.exec(5), systemd.resource-control(5)."""

_HOMES: Final = ("/home", "/root", "/run/user")
_TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 -- folders that a service may not see, not files of ours
_EVERYWHERE: Final = ("any", "0.0.0.0/0", "::/0")


class Service(msgspec.Struct, frozen=True):
    """The unit that the agent runs in.

    Attributes:
        unit: Its name.
        settings: Of those above.
        folders: Static part of each pattern, and its source.
        host: Of the endpoint.
        loopback: Whether that is this host.
    """

    unit: str
    settings: Mapping[str, str]
    folders: Sequence[tuple[str, str]]
    host: str
    loopback: bool


def service(facts: Service) -> Iterator[Finding]:
    """Judge what the sandbox hides of what the configuration names."""
    findings = [*_hidden(facts), *_denied(facts)]
    yield from findings
    if not findings:
        yield Finding("service", "ok", f"{facts.unit} may see every folder of the sources, and reach the endpoint")


def _denied(facts: Service) -> Iterator[Finding]:
    denied = facts.settings.get("IPAddressDeny", "").split()
    if facts.loopback or not any(word in _EVERYWHERE for word in denied):
        return
    yield Finding(
        "service", "fail",
        f"{facts.unit} may reach this host only (IPAddressDeny), and the endpoint is {facts.host}",
        "nothing is delivered by the service, though it works in a shell",
        f"systemctl edit {facts.unit}: [Service] IPAddressDeny= (see drop-ins/public-api.conf among the package's "
        "examples)",
    )  # fmt: skip


def _hidden(facts: Service) -> Iterator[Finding]:
    for setting, hiding, roots, opened in (
        ("ProtectHome", ("yes", "tmpfs"), _HOMES, "read-only"),
        ("PrivateTmp", ("yes",), _TEMPORARY, "no"),
    ):
        if facts.settings.get(setting) not in hiding:
            continue
        for folder, source in facts.folders:
            if any(folder == root or folder.startswith(root + "/") for root in roots):
                yield Finding(
                    "service", "fail",
                    f"source {source} names {folder}, which {facts.unit} does not see "
                    f"({setting}={facts.settings[setting]})",
                    "its files are not there for the service, though a shell sees them",
                    f"systemctl edit {facts.unit}: [Service] {setting}={opened}",
                )  # fmt: skip
