"""agent.yaml and presets: the only rooms that see YAML. From here come frozen structs and core rules."""

from shipper.config.load import find, load
from shipper.config.model import Config, Endpoint
from shipper.config.presets import Preset, load_presets
from shipper.config.rules import rules
from shipper.config.source_model import Source
from shipper.config.templates import fill_path_attributes

__all__ = [
    "Config",
    "Endpoint",
    "Preset",
    "Source",
    "fill_path_attributes",
    "find",
    "load",
    "load_presets",
    "rules",
]
