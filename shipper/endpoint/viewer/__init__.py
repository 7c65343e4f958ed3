"""The log viewer: static files that the endpoint serves, `index.html` at ``/`` and the rest under ``/viewer/``.

No build step and no foreign host. The page runs under a policy that allows
only files of its own origin: no inline script or style, no evaluation.
"""
