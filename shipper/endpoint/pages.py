"""The viewer's files, as the package carries them: read once, served from memory.

The page may load nothing that is not ours, run nothing inline, and be framed by
nobody: a log line that looks like markup stays text whatever the page does with it.
"""

from __future__ import annotations

import mimetypes
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import web

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Server": "EEC",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_SERVED: Final = frozenset({".html", ".css", ".js", ".mjs", ".svg", ".png", ".ico", ".webmanifest"})
_TEXT: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".webmanifest": "application/manifest+json"}


class Pages:
    """Path to file; the server asks it before it says 404."""

    def __init__(self) -> None:
        """Read the viewer's folder of the package."""
        self._files: dict[str, tuple[bytes, str]] = {}
        viewer = resources.files("shipper.endpoint").joinpath("viewer")
        if viewer.is_dir():
            self._read(viewer, "/viewer/")
        index = self._files.get("/viewer/index.html")
        if index is not None:
            self._files["/"] = index

    def __contains__(self, path: str) -> bool:
        """Return whether there is a file for *path*."""
        return path in self._files

    def answer(self, path: str) -> web.Response:
        """Return the file of *path*, which is one of ours."""
        body, content_type = self._files[path]
        return web.Response(body=body, headers={**_HEADERS, "Content-Type": content_type})

    def _read(self, folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            suffix = "." + entry.name.rpartition(".")[2]
            if entry.is_dir():
                self._read(entry, f"{prefix}{entry.name}/")
            elif suffix in _SERVED:
                self._files[prefix + entry.name] = (entry.read_bytes(), _content_type(suffix))


def _content_type(suffix: str) -> str:
    kind = _TEXT.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
