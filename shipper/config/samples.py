"""The samples in an operator's own presets (`formats.d`): run by `shipper check` like the tests beside a rule.

Those of the presets that come with the project are run by its own tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from shipper.config.decode import decode
from shipper.config.place import Place
from shipper.config.problems import Problems, raise_any
from shipper.config.source_model import AttributeWords, Expected, RuleTest
from shipper.config.validate_tests import NO_STAMP, check_tests
from shipper.config.yaml_tree import Mapping, parse

# As in the project's own presets: a copy of one of them must pass as it stands.
_MODIFIED: Final = "2024-12-31T23:59:59Z"
_ZONE: Final = "UTC"


class _Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str
    severity: str
    timestamp: str | None = None
    attributes: dict[str, AttributeWords | None] = {}
    timezone: str = _ZONE
    modified: str = _MODIFIED


class _Samples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    samples: tuple[_Sample, ...] = ()


class PresetTest(NamedTuple):
    """A sample as a test of the preset *preset*, read on a host in *zone*; *place* names it for messages."""

    preset: str
    zone: str
    test: RuleTest
    place: str


def preset_tests(folders: Sequence[Path]) -> list[PresetTest]:
    """Return the samples of every preset in *folders*.

    Raises:
        ConfigError: A sample is wrong; one line for each problem.
    """
    found: list[PresetTest] = []
    files: list[Problems] = []
    for path in sorted(path for folder in folders for path in folder.glob("*.yaml")):
        problems = Problems(str(path))
        files.append(problems)
        root = parse(path.read_text(encoding="utf-8"), problems)
        if not isinstance(root, Mapping):
            continue
        name = next((str(getattr(one.value, "text", "")) for one in root.entries if one.key == "name"), "")
        only_samples = Mapping(root.line, tuple(entry for entry in root.entries if entry.key == "samples"))
        decoded = decode(only_samples, _Samples, problems)
        samples = decoded.samples if decoded is not None else ()
        place = Place(problems, root, ("samples",))
        tests = [_test(sample) for sample in samples]
        if not place.has_problem:
            check_tests(tests, place)
        found += [
            PresetTest(name, sample.timezone, test, str(place.at(number)))
            for number, (sample, test) in enumerate(zip(samples, tests, strict=True))
        ]
    raise_any(*files)
    return found


def _test(sample: _Sample) -> RuleTest:
    expected = Expected(
        severity=sample.severity, timestamp=sample.timestamp or NO_STAMP, attributes=sample.attributes
    )  # fmt: skip
    return RuleTest(line=sample.text, expect=expected, written=sample.modified)
