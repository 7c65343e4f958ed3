"""The files of /etc/shipper/endpoint.d: small YAML mappings of known keys to plain values.

Reads one file and names line and key of what is wrong, all at once. What the
keys mean belongs to `enablement` and `port_setting`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Final

import yaml

from shipper.errors import ConfigError

SETTINGS_DIR: Final = Path("/etc/shipper/endpoint.d")
_LONGEST_FILE_BYTES: Final = 65_536


def read(path: Path, keys: Collection[str]) -> dict[str, yaml.ScalarNode]:
    """Return the file's entries; none when there is no such file or it is empty.

    Raises:
        ConfigError: it cannot be read, is no mapping of *keys* to plain values, or names a key twice.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_FILE_BYTES)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 (byte {error.start})"]) from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError([f"{path}{line}: {error.problem or 'not YAML'}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: not YAML: {str(error).splitlines()[0]}"]) from error
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError([f"{path}:{root.start_mark.line + 1}: write settings as `{next(iter(keys))}: value`"])
    return _entries(path, root, keys)


def _entries(path: Path, root: yaml.MappingNode, keys: Collection[str]) -> dict[str, yaml.ScalarNode]:
    entries: dict[str, yaml.ScalarNode] = {}
    problems: list[str] = []
    for key, value in root.value:
        name = str(key.value)
        at = f"{path}:{key.start_mark.line + 1}: {name}"
        if name not in keys:
            nearest = difflib.get_close_matches(name, keys, n=1)
            problems.append(f"{at}: unknown key; " + (f"did you mean {nearest[0]}?" if nearest else _known(keys)))
        elif name in entries:
            problems.append(f"{at}: given twice; keep one")
        elif not isinstance(value, yaml.ScalarNode):
            problems.append(f"{at}: is a {value.id}; write one plain value")
        else:
            entries[name] = value
    if problems:
        raise ConfigError(problems)
    return entries


def _known(keys: Collection[str]) -> str:
    return "known keys: " + ", ".join(keys)


def place(path: Path, key: str, value: yaml.ScalarNode) -> str:
    """Return ``file:line: key``, as every message about an entry begins."""
    return f"{path}:{value.start_mark.line + 1}: {key}"
