"""The DaemonSet's own configuration loads, reads what is mounted, and takes the pod from the path."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import yaml

from shipper.config import fill_path_attributes, load
from shipper.core.patterns import Excludes

MANIFEST = Path(__file__).parents[2] / "packaging" / "kubernetes" / "daemonset.yaml"
Node = dict[str, object]


def parts() -> dict[str, Node]:
    """Return the manifest's objects by their kind."""
    return {str(part["kind"]): part for part in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))}


def within(node: object, *names: str | int) -> object:
    """Return what stands at a path of keys and indexes."""
    for name in names:
        node = cast(Node, node)[name] if isinstance(name, str) else cast("list[object]", node)[name]
    return node


def test_the_configuration_loads_and_a_pod_is_known_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(str(within(parts()["ConfigMap"], "data", "agent.yaml")), encoding="utf-8")

    config = load(path, {"NODE_NAME": "node-7"})

    containers = config.sources[0]
    log = "/var/log/pods/shop_web-5d_0f1c/app/0.log"
    assert fill_path_attributes(containers, log, containers.paths[0]) == {
        "k8s.namespace.name": "shop", "k8s.pod.name": "web-5d", "k8s.pod.uid": "0f1c", "k8s.container.name": "app",
    }  # fmt: skip
    assert config.attributes["k8s.node.name"] == "node-7"
    assert Excludes(containers.exclude).match("/var/log/pods/shipper_shipper-x_1/shipper/0.log")
    assert not Excludes(containers.exclude).match(log)


def test_state_and_logs_are_mounted_and_the_state_is_the_nodes(tmp_path: Path) -> None:
    pod = within(parts()["DaemonSet"], "spec", "template", "spec")
    container = within(pod, "containers", 0)
    mounts = {
        str(within(mount, "mountPath")): str(within(mount, "name"))
        for mount in cast("list[object]", within(container, "volumeMounts"))
    }
    volumes = {str(within(volume, "name")): volume for volume in cast("list[object]", within(pod, "volumes"))}
    path = tmp_path / "agent.yaml"
    path.write_text(str(within(parts()["ConfigMap"], "data", "agent.yaml")), encoding="utf-8")
    config = load(path, {"NODE_NAME": "n"})

    assert within(volumes[mounts[str(config.state_dir)]], "hostPath", "path") == "/var/lib/shipper"
    assert all(log.startswith("/var/log/") for source in config.sources for log in source.paths)
    assert "/var/log" in mounts
    assert within(parts()["DaemonSet"], "spec", "selector", "matchLabels") == within(
        parts()["DaemonSet"], "spec", "template", "metadata", "labels"
    )
