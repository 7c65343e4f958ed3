"""What goes with a package on paper: the list of its parts (CycloneDX), their licences, the changelog."""

from __future__ import annotations

import json
import os
import re
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.parser import Parser
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from packaging.utils import canonicalize_name
from steps_shared import LIBRARY, PYTHONS, ROOT, version

MAINTAINER: Final = os.environ.get("MAINTAINER") or "The shipper authors <shipper@localhost.localdomain>"
"""Who answers for these packages: whoever publishes them puts a name here."""

_LICENCE_NAMES: Final = re.compile(r"^(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_KNOWN: Final = {
    "MIT License": "MIT", "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0", "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0", "Apache-2.0 License": "Apache-2.0", "BSD": "BSD-3-Clause",
}  # fmt: skip


class Part(NamedTuple):
    """One library in the package; *wheels* are all its wheels, one or one for each Python."""

    name: str
    version: str
    licence: str
    wheels: tuple[Path, ...]
    licence_texts: tuple[str, ...]


def parts_of(wheels: Iterable[Path]) -> list[Part]:
    """Return the libraries in *wheels*, by name; licence and its text are read from the wheels themselves."""
    found = dict[str, list[Path]]()
    heads = dict[str, Message]()
    texts = dict[str, tuple[str, ...]]()
    for wheel in sorted(wheels):
        with zipfile.ZipFile(wheel) as archive:
            place = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            head = Parser().parsestr(archive.read(place).decode())
            name = canonicalize_name(str(head["Name"]))
            found.setdefault(name, []).append(wheel)
            heads[name] = head
            folder = place.rpartition("/")[0] + "/"
            texts[name] = tuple(
                archive.read(one).decode("utf-8", "replace")
                for one in sorted(archive.namelist())
                if one.startswith(folder) and _LICENCE_NAMES.match(one.rpartition("/")[2])
            )
    return [
        Part(name, str(heads[name]["Version"]), _licence(heads[name]), tuple(found[name]), texts[name])
        for name in sorted(found)
    ]


def _licence(head: Message) -> str:
    """Return the SPDX expression that the wheel gives, or what its older fields come to."""
    if head["License-Expression"]:
        return str(head["License-Expression"])
    short = str(head["License"] or "").strip()
    classifiers = [str(c).rpartition(" :: ")[2] for c in head.get_all("Classifier", []) if "License ::" in str(c)]
    for name in (short, *classifiers):
        if name in _KNOWN or re.fullmatch(r"[A-Za-z0-9.+-]+", name):
            return _KNOWN.get(name, name)
    return short.splitlines()[0] if short else "see its licence text"


def cyclonedx(parts: Iterable[Part], epoch: int) -> str:
    """Return the list of parts in CycloneDX 1.6: shipper, its libraries, the hash of each wheel they came from."""
    ours = f"pkg:generic/shipper@{version()}"
    listed = list(parts)
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{part.name}@{part.version}",
            "name": part.name,
            "version": part.version,
            "purl": f"pkg:pypi/{part.name}@{part.version}",
            "licenses": [_licence_entry(part.licence)],
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": wheel.name,
                    "hashes": [{"alg": "SHA-256", "content": sha256(wheel.read_bytes()).hexdigest()}],
                }
                for wheel in part.wheels
            ],
        }
        for part in listed
    ]
    digest = sha256(json.dumps(components, sort_keys=True).encode()).hexdigest()
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ours + digest)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": "shipper",
                "version": version(),
                "purl": ours,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
            "properties": [{"name": "shipper:python", "value": f"the distribution's own, one of {', '.join(PYTHONS)}"}],
        },
        "components": components,
        "dependencies": [{"ref": ours, "dependsOn": [component["bom-ref"] for component in components]}],
    }
    return json.dumps(document, indent=2) + "\n"


def _licence_entry(licence: str) -> Mapping[str, object]:
    if re.fullmatch(r"[A-Za-z0-9.+-]+", licence):
        return {"license": {"id": licence}}
    if re.fullmatch(r"[A-Za-z0-9.+() -]+", licence) and re.search(r" (AND|OR|WITH) ", licence):
        return {"expression": licence}
    return {"license": {"name": licence}}


def copyright_file(parts: Iterable[Part]) -> str:
    """Return Debian's copyright file: each library stands with its licence and that licence's own text."""
    stanzas = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: shipper\n",
        "Files: *\nCopyright: the shipper authors\nLicense: Apache-2.0\n",
    ]
    texts = list[str]()
    for part in parts:
        tag = f"{part.licence.replace(' ', '-')}-of-{part.name}"
        holders = _holders(part.licence_texts) or f"the {part.name} authors"
        stanzas.append(f"Files: {_places(part)}\nCopyright: {holders}\nLicense: {tag}\n")
        texts.append(f"License: {tag}\n{_indented(part.licence_texts, part.licence)}")
    apache = (
        "License: Apache-2.0\n"
        " On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0, elsewhere in\n"
        " /usr/share/licenses/shipper/LICENSE.\n"
    )
    return "\n".join([*stanzas, apache, *texts])


def _places(part: Part) -> str:
    folders = [LIBRARY / "common", *(LIBRARY / f"python{python}" for python in PYTHONS)]
    stem = f"{part.name.replace('-', '_')}-{part.version}.dist-info".lower()
    for folder in folders:
        for path in folder.glob("*.dist-info"):
            if path.name.lower() == stem:
                place = folder.relative_to(LIBRARY)
                return (
                    f"usr/lib/shipper/{place if place.name == 'common' else 'python3.*'}/{part.name.replace('-', '_')}*"
                )
    return f"usr/lib/shipper/*/{part.name}*"


def _holders(texts: Iterable[str]) -> str:
    lines = [
        " ".join(line.split())
        for text in texts
        for line in text.splitlines()
        if re.match(r"\s*copyright (\(c\)|©|\d{4}|20|19|the)", line, re.IGNORECASE)
    ]
    return "\n ".join(dict.fromkeys(lines[:5]))


def _indented(texts: Iterable[str], licence: str) -> str:
    whole = "\n".join(text for text in texts if not _is_apache(text))
    if not whole.strip():
        return f" {licence}; its full text is in /usr/share/common-licenses or beside the library.\n"
    return "".join(f" {line.rstrip()}\n" if line.strip() else " .\n" for line in whole.splitlines())


def _is_apache(text: str) -> bool:
    """Whether this is the one licence that every Debian system has in full already."""
    return "Apache License" in text[:400] and "TERMS AND CONDITIONS" in text


def changelog_entries(text: str, released: str, epoch: int) -> Iterator[Mapping[str, object]]:
    """Return CHANGELOG.md's versions as nfpm takes them; what is unreleased belongs to the version being built.

    The packages' own changelogs say where the changes are told: the text goes with them as changelog.gz.
    """
    day = datetime.fromtimestamp(epoch, UTC)
    for named in re.finditer(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?", text, re.MULTILINE):
        when = datetime.fromisoformat(named[2]).replace(tzinfo=UTC) if named[2] else day
        yield {
            "semver": f"{released if named[1] == 'Unreleased' else named[1]}-1",
            "deb": {"urgency": "medium", "distributions": ["stable"]},
            "date": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "packager": MAINTAINER,
            "changes": [{"note": "Changes for operators: /usr/share/doc/shipper/changelog.gz"}],
        }


def changelog_yaml(released: str, epoch: int) -> str:
    """Return the changelog for nfpm, newest first."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return json.dumps(list(changelog_entries(text, released, epoch)), indent=1)  # JSON is YAML
