"""The port as `--set-extensions-ingest-port` keeps it: port.yaml in the settings folder.

oneagentctl's own words are taken, `--get-port` and `--set-port` are the short
forms. A new port counts from the next start: `--restart-service` is that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from shipper.endpoint import settings
from shipper.errors import ConfigError, ShipperError, StateError

DEFAULT_PORT: Final = 14_499
SERVICE: Final = "shipper-endpoint.service"
_RESTART_SECONDS: Final = 90
_KEY: Final = "port"


def get_port(settings_dir: Path) -> int:
    """Return the kept port, or the default.

    Raises:
        ConfigError: port.yaml is wrong.
    """
    path = settings_dir / "port.yaml"
    value = settings.read(path, (_KEY,)).get(_KEY)
    if value is None:
        return DEFAULT_PORT
    if not value.value.isascii() or not value.value.isdecimal() or not 1 <= int(value.value[:9]) <= 65_535:
        raise ConfigError([f"{settings.place(path, _KEY, value)}: {value.value!r} is no port; use 1 to 65535"])
    return int(value.value)


def set_port(settings_dir: Path, port: int) -> Path:
    """Keep *port* for the next start, and return where; a power cut leaves the old one or the new one.

    Raises:
        StateError: the file cannot be written.
    """
    path = settings_dir / "port.yaml"
    fresh = settings_dir / f".port.yaml.{os.getpid()}"
    try:
        settings_dir.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            file.write(f"# set by shipper endpoint --set-port\n{_KEY}: {port}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o644)
        fresh.rename(path)
        directory = os.open(settings_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StateError(f"{path}: cannot be written: {error.strerror}; run as root, or use --settings-dir") from error
    return path


def restart_service() -> None:
    """Restart the endpoint's unit.

    Raises:
        ShipperError: there is no systemd here, or it could not restart the unit.
    """
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise ShipperError("the port is kept, but there is no systemctl here: restart the endpoint yourself")
    try:
        done = subprocess.run(
            [systemctl, "restart", SERVICE], capture_output=True, text=True, timeout=_RESTART_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ShipperError(f"the port is kept, but 'systemctl restart {SERVICE}' did not end: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ShipperError(f"the port is kept, but 'systemctl restart {SERVICE}' failed: {said[-1] if said else '?'}")
