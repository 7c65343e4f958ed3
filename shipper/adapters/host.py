"""Facts about this host that `shipper doctor` and `shipper init` ask for: limits, clock, disk, who may do what.

Thin: it reads and says what it read, None where it could not. What a fact
means is core/diagnosis.py's. Processes are host_processes.py's.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from shipper.errors import UsageError

_CLOCK_UNSYNCHRONISED: Final = 5  # adjtimex(2), TIME_ERROR
_TIMEX_BYTES: Final = 512  # struct timex has 208; more does no harm
_MOST_DESCRIPTORS: Final = 65_536  # the agent asks for no more by itself
_SYSTEMD_SECONDS: Final = 3.0
_PROXY_NAMES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def kernel_setting(name: str, proc: Path = Path("/proc")) -> int | None:
    """Return a number of sysctl, such as ``fs.inotify.max_user_watches``."""
    try:
        return int((proc / "sys" / name.replace(".", "/")).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def free_space(path: Path) -> tuple[int, int | None]:
    """Return bytes and inodes that are free at *path*, or at the nearest folder above that exists."""
    there = next(place for place in (path, *path.parents) if place.exists())
    room = os.statvfs(there)
    return room.f_bavail * room.f_frsize, room.f_favail if room.f_files else None


def clock_is_kept() -> bool | None:
    """Return whether the kernel's clock is kept by NTP; None where it cannot be asked."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    status: int = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if status < 0 else status != _CLOCK_UNSYNCHRONISED


def descriptor_limit(pid: int | None = None, proc: Path = Path("/proc")) -> int | None:
    """Return how many files *pid* may hold open; for None this process, once it has raised its limit."""
    if pid is None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return max(_finite(soft), min(_finite(hard), _MOST_DESCRIPTORS))
    try:
        text = (proc / str(pid) / "limits").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    row = next((line.split() for line in text.splitlines() if line.startswith("Max open files")), None)
    return None if row is None or not row[3].isdigit() else int(row[3])


def _finite(limit: int) -> int:
    return 1 << 30 if limit == resource.RLIM_INFINITY else limit


def proxy_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy variables that are set."""
    return {name: value for name, value in environ.items() if name.lower() in _PROXY_NAMES and value}


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the proxy that a request to *url* goes through under *environ*, as the HTTP client decides it."""
    parts = urlsplit(url)
    # Sorted, small letters come last and win, as they do in urllib.
    by_name = {name.lower(): value for name, value in sorted(proxy_variables(environ).items())}
    proxy = by_name.get(f"{parts.scheme}_proxy")
    if proxy is None:
        return None
    rules = {"no": by_name["no_proxy"]} if "no_proxy" in by_name else {}
    # Typed in no stub: it is what urllib's proxy_bypass calls on Linux, with the variables as an argument.
    bypassed = urllib.request.proxy_bypass_environment(parts.netloc.rpartition("@")[2], rules)  # type: ignore[attr-defined]
    return None if bypassed else proxy


def unit_settings(unit: str, names: Sequence[str]) -> dict[str, str] | None:
    """Return settings of a unit of systemd; None where there is no systemd, or no such unit."""
    command = ["systemctl", "show", unit, *(f"--property={name}" for name in names)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SYSTEMD_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    found = {name: value for name, _, value in pairs}
    return found if found.get("LoadState") == "loaded" else None


def user_name(number: int) -> str:
    """Return the name of a user, the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def has_user(name: str) -> bool:
    """Return whether *name* is a user of this host."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Ask the system for everything inside with the rights of user *name*: what it may not, we may not.

    Only root can become somebody else; for anybody else only the own name does.

    Raises:
        UsageError: There is no such user, or we may not act as it.
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"there is no user {name!r} on this host") from None
    if user.pw_uid == os.geteuid():
        yield
        return
    if os.geteuid() != 0:
        raise UsageError(f"only root can look with the rights of {name}: sudo shipper doctor") from None
    groups = os.getgroups()
    group = os.getegid()
    os.setgroups(os.getgrouplist(name, user.pw_gid))
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
