"""Programs that run inside a machine: what a start costs, and what a service can reach."""

FIRST = """
import http.server, os, pathlib, subprocess, tempfile, threading, time
folder = pathlib.Path(tempfile.mkdtemp())
first = threading.Event()
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        first.set()
        self.send_response(204)
        self.end_headers()
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
(folder / "a.log").write_text("2026-01-02 03:04:05 INFO one\\n")
(folder / "agent.yaml").write_text(
    f"state_dir: {folder}/state\\nendpoint: {{url: 'http://127.0.0.1:{server.server_port}'}}\\n"
    f"sources: [{{name: a, paths: ['{folder}/*.log']}}]\\n")
begun = time.monotonic()
agent = subprocess.Popen(["shipper", "run", "-c", str(folder / "agent.yaml")], stderr=subprocess.DEVNULL)
assert first.wait(60)
taken = time.monotonic() - begun
fields = pathlib.Path(f"/proc/{agent.pid}/stat").read_text().rpartition(")")[2].split()
agent.kill()
print(taken, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
"""

START = """
import resource, subprocess, time
begun = time.monotonic()
subprocess.run(["shipper", "--version"], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.monotonic() - begun, used.ru_utime + used.ru_stime)
"""

MAKE_HANDLE = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
mount = ctypes.c_int()
if libc.name_to_handle_at(-100, b"/etc/shadow", handle, ctypes.byref(mount), 0):
    raise OSError(ctypes.get_errno(), "name_to_handle_at")
open("/run/probe/handle", "wb").write(handle.raw)
"""

PROBE = """
import ctypes, os
status = open("/proc/self/status").read()
print("capability:", "yes" if "CapEff:\\t0000000000000004" in status else "no")
def attempt(what, call):
    try:
        call()
        print(what + ": read", flush=True)
    except OSError as error:
        print(what + ": refused", error.strerror, flush=True)
def by_handle():
    libc = ctypes.CDLL(None, use_errno=True)
    raw = open("/run/probe/handle", "rb").read()
    handle = ctypes.create_string_buffer(raw)
    root = os.open("/", os.O_RDONLY)
    number = libc.open_by_handle_at(root, handle, os.O_RDONLY)
    if number < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    assert os.read(number, 10)
attempt("secret.log", lambda: open("/var/log/shop/secret.log").read())
def by_path():
    if not open("/etc/shadow").read():
        raise OSError(13, "empty")
attempt("shadow by path", by_path)
attempt("shadow by handle", by_handle)
"""
