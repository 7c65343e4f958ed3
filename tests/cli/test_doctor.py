"""`shipper doctor` on hosts that are really broken: the message each gives, and that a mended one is fine again."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from click.testing import CliRunner

from shipper.adapters.files import effective_user
from shipper.adapters.offsets import Life, OffsetStore
from shipper.cli.doctor import doctor
from shipper.errors import ConfigError
from tests.cli.test_check_endpoint import API_ERROR, answering, nobody

ROOT = os.geteuid() == 0
LINE = "2026-01-31 23:59:59 INFO hello\n"


class Scene(NamedTuple):
    """A host that is all right: one log, an endpoint that takes events."""

    folder: Path
    log: Path
    url: str
    stack: ExitStack
    keys: dict[str, object]

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def write(self) -> Path:
        path = self.folder / "agent.yaml"
        document = {
            "state_dir": str(self.state_dir), "endpoint": {"url": self.url},
            "sources": [{"name": "shop", "paths": [str(self.log)]}],
        }  # fmt: skip
        path.write_text(json.dumps({**document, **self.keys}))
        path.chmod(0o644)
        return path


@pytest.fixture
def scene() -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    folder.chmod(0o755)
    log = folder / "logs" / "shop.log"
    log.parent.mkdir()
    log.write_text(LINE * 20)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        url, _ = stack.enter_context(answering(400, API_ERROR))
        yield Scene(folder, log, url, stack, {})


def findings(scene: Scene, *arguments: str) -> list[dict[str, str]]:
    result = CliRunner().invoke(doctor, ["-c", str(scene.write()), "--json", *arguments], standalone_mode=False)
    assert result.exception is None, result.exception
    report = json.loads(result.stdout)
    found: list[dict[str, str]] = report["findings"]
    assert result.return_value == any(one["level"] == "fail" for one in found) == report["failed"]
    return found


def used_state(scene: Scene) -> OffsetStore:
    store = OffsetStore.open(scene.state_dir, now_ms=1_795_464_000_000)
    store.commit([Life(file_id=1, generation=0, source="shop", path=str(scene.log), device=1, inode=1)])
    return store


# -- ways to break it --------------------------------------------------------------------------------------------------


def file_shut(scene: Scene) -> None:
    scene.log.chmod(0)


def folder_shut(scene: Scene) -> None:
    scene.log.parent.chmod(0o644)
    scene.stack.callback(scene.log.parent.chmod, 0o755)


def state_shut(scene: Scene) -> None:
    scene.folder.chmod(0o555)
    scene.stack.callback(scene.folder.chmod, 0o755)


def state_of_another(scene: Scene) -> None:
    used_state(scene).close()
    scene.state_dir.chmod(0o755)


def state_damaged(scene: Scene) -> None:
    used_state(scene).close()
    (scene.state_dir / "offsets.db").write_bytes(b"no database")


def state_in_memory(scene: Scene) -> None:
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    scene.stack.callback(shutil.rmtree, folder)
    scene.keys["state_dir"] = str(folder / "state")


def nothing_listens(scene: Scene) -> None:
    scene.keys["endpoint"] = {"url": scene.stack.enter_context(nobody())}


def another_program_listens(scene: Scene) -> None:
    url, _ = scene.stack.enter_context(answering(404, b"", "nginx/1.24"))
    scene.keys["endpoint"] = {"url": url}


def no_http_server_listens(scene: Scene) -> None:
    server = scene.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    scene.keys["endpoint"] = {"url": f"http://127.0.0.1:{server.getsockname()[1]}", "timeout": "200ms"}


def certificate_unknown(scene: Scene) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    url, _ = scene.stack.enter_context(answering(400, API_ERROR, tls=context))
    scene.keys["endpoint"] = {"url": url.replace("http://127.0.0.1", "https://localhost")}


def too_many_open_files(scene: Scene) -> None:
    scene.keys["limits"] = {"open_files": 2_000_000}


def another_agent_reads(scene: Scene) -> None:
    code = "import sys; a = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        ["/usr/share/filebeat/bin/filebeat", "-c", code, str(scene.log)], executable=sys.executable,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    scene.stack.callback(child.communicate, b"")
    assert child.stdout is not None
    child.stdout.readline()


def another_agent_names_it(scene: Scene) -> None:
    config = scene.folder / "promtail.yaml"
    config.write_text(
        "scrape_configs:\n- job_name: shop\n  static_configs:\n  - targets: [localhost]\n"
        f"    labels: {{__path__: '{scene.log.parent}/*.log'}}\n"
    )
    child = subprocess.Popen(
        ["/usr/bin/promtail", "-c", "import sys; print(flush=True); sys.stdin.read()", f"-config.file={config}"],
        executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    scene.stack.callback(child.communicate, b"")
    assert child.stdout is not None
    child.stdout.readline()


def format_wrong(scene: Scene) -> None:
    scene.keys["sources"] = [{"name": "shop", "paths": [str(scene.log)], "format": "nginx_access"}]


def letters_nearly_full(scene: Scene) -> None:
    used_state(scene).close()
    (scene.state_dir / "dead_letters").mkdir()
    (scene.state_dir / "dead_letters" / "1.ndjson").write_bytes(b"x" * 900)
    scene.keys["dead_letters"] = {"max_bytes": 1000}


def no_such_file(scene: Scene) -> None:
    scene.log.unlink()


LOOK = "look at endpoint.url in agent.yaml, or free the port for what should listen there"
SWITCH = "switch its log ingest on (Settings, Extension Execution Controller)"
ELSEWHERE = "state_dir: a folder on a local disk, in agent.yaml"


class Broken(NamedTuple):
    """What is broken, and the finding that it must give: `{user}` is who looks, `{pid}` any process."""

    how: Callable[[Scene], None]
    check: str
    level: str
    text: str
    mend: str
    needs_root: bool = False


BROKEN = [
    Broken(file_shut, "permissions", "fail", "{log}: permission denied: it is not read", "setfacl -m u:{user}:r {log}"),
    Broken(folder_shut, "permissions", "fail", "{logs}/shop.log: permission denied: it is not read",
           "setfacl -m u:{user}:x {logs} && setfacl -m u:{user}:r {log}"),
    Broken(state_shut, "state", "fail", "state_dir {state}: {user} may not write to {folder}",
           "install -d -o {user} -m 0700 {state}"),
    Broken(state_of_another, "state", "fail", "state_dir {state}: {user} may not write to it",
           "chown -R {user} {state}", needs_root=True),
    Broken(state_damaged, "state", "fail", "{state}/offsets.db: damaged: not a database",
           "shipper state restore FILE, with an export"),
    Broken(state_in_memory, "file systems", "warn", "is on tmpfs, in memory", ELSEWHERE),
    Broken(nothing_listens, "endpoint", "fail", "connection refused: nothing listens there",
           "start what should listen there, or write endpoint.embedded: true in agent.yaml"),
    Broken(another_program_listens, "endpoint", "fail", "'nginx/1.24' from {program} answers 404: it takes no logs at "
           "this path", "on a OneAgent " + SWITCH + "; else " + LOOK),
    Broken(no_http_server_listens, "endpoint", "fail", "no answer in time; {program} listens there",
           "look at what listens there: it is no HTTP server, or it hangs"),
    Broken(certificate_unknown, "endpoint", "fail", "TLS: unable to get local issuer certificate",
           "install the authority that signed its certificate (update-ca-certificates), or write the name that the "
           "certificate has in endpoint.url"),
    Broken(too_many_open_files, "descriptors", "fail", "limits.open_files is 2000000, which takes 2000068 descriptors "
           "with the agent's own", "LimitNOFILE=2000068 in the service (systemctl edit shipper)"),
    Broken(another_agent_reads, "other agents", "warn", "reads {log} too: it has them open",
           "take those files out of one of the two: exclude in agent.yaml, or its own configuration"),
    Broken(another_agent_names_it, "other agents", "warn", "reads {log} too: {folder}/promtail.yaml names them",
           "take those files out of one of the two: exclude in agent.yaml, or its own configuration"),
    Broken(format_wrong, "formats", "warn", "{log}: 0 % of its first 20 lines are explained by nginx_access, which "
           "source shop names", "shipper explain {log}; shipper suggest {log}"),
    Broken(letters_nearly_full, "state", "warn", "dead letters take 900 B of 1000 B",
           "shipper dlq list; then shipper dlq replay or shipper dlq drop, or raise dead_letters.max_bytes"),
    Broken(no_such_file, "files", "warn", "source shop: no file matches yet: nothing of that name in {logs}", ""),
]  # fmt: skip
AS_ANOTHER = (file_shut, folder_shut, state_shut, state_of_another)  # root may do all of that


def filled(text: str, scene: Scene, user: str) -> str:
    values = {"{log}": scene.log, "{logs}": scene.log.parent, "{state}": scene.state_dir, "{folder}": scene.folder,
              "{user}": user}  # fmt: skip
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.how.__name__)
def test_each_broken_host_gets_its_message(broken: Broken, scene: Scene) -> None:
    if broken.needs_root and not ROOT:
        pytest.skip("only root can give a folder away")
    user = "nobody" if ROOT and broken.how in AS_ANOTHER else effective_user()
    broken.how(scene)

    found = findings(scene, "--user", user)

    begin, _, end = filled(broken.text, scene, user).partition("{program}")
    mend = filled(broken.mend, scene, user)
    hits = [one for one in found if (one["check"], one["level"]) == (broken.check, broken.level)]
    hits = [one for one in hits if begin in one["text"] and end in one["text"] and mend in one.get("mend", "")]
    assert len(hits) == 1, found


def test_a_host_that_is_all_right_has_no_failure(scene: Scene) -> None:
    found = findings(scene)

    assert [one for one in found if one["level"] == "fail"] == []
    assert {one["check"] for one in found} >= {
        "configuration", "permissions", "formats", "file systems", "disk", "state", "other agents", "inotify",
        "descriptors", "endpoint", "proxy",
    }  # fmt: skip


def test_a_running_agent_is_named_and_not_disturbed(scene: Scene) -> None:
    store = used_state(scene)

    found = findings(scene)
    store.commit()
    store.close()

    texts = [one["text"] for one in found if one["check"] == "state"]
    assert any(f"(process {os.getpid()}) holds {scene.state_dir}" in text for text in texts)


def test_the_text_says_what_the_json_says_and_commands_are_never_broken(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    nothing_listens(scene)

    result = CliRunner().invoke(doctor, ["-c", str(scene.write())], standalone_mode=False)

    lines = result.stdout.splitlines()
    assert result.return_value == 1
    assert "      mend it with: start what should listen there, or write endpoint.embedded: true in agent.yaml" in lines
    assert lines[-1].startswith("failed: 1, warnings: ")
    assert "\x1b" not in result.stdout


def test_a_wrong_configuration_is_exit_78(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("sources: [{name: a, path: [/x]}]\n")

    result = CliRunner().invoke(doctor, ["-c", str(tmp_path / "agent.yaml")], standalone_mode=False)

    assert isinstance(result.exception, ConfigError)
