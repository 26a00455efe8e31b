"""One S3-compatible store out of OpenStack Swift's own servers, in the foreground, for one machine.

Swift's launcher expects installed services, fixed ports and a ring builder. Here one parent binds the sockets, writes the
configuration, loads Swift once and forks a process for each server, so that a start takes a second, ports cannot be taken in between,
and everything ends with the parent.
"""

import array
import contextlib
import ctypes
import gc
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

PARTITION_POWER = 6  # fixed for the life of the data, like the hash suffix in swift.conf
SERVERS = {"account": 1, "container": 1, "object": 2, "proxy": 2}
MODULES = ["swift.account.server", "swift.container.server", "swift.obj.server", "swift.obj.updater", "swift.proxy.server",
           "swift.common.middleware.s3api.s3api", "swift.common.middleware.tempauth", "swift.common.middleware.slo"]
FILTERS = ["catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "s3api", "tempauth", "copy", "slo", "dlo", "versioned_writes", "symlink"]
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
libc = ctypes.CDLL(None, use_errno=True)


def say(text):
    print("s3: " + text, flush=True)


def fail(text):
    print("s3: " + text, file=sys.stderr, flush=True)
    sys.exit(1)


def load_swift():
    """Before the forks, so that the processes share one copy of the code. None of it starts a thread or opens a connection."""
    try:
        import swift
        for module in MODULES:
            __import__(module)
    except ImportError as error:
        fail(f"OpenStack Swift cannot be loaded ({error}); run eng/install.sh, which installs it.")
    if tuple(int(part) for part in swift.__version__.split(".")[:2]) < (2, 35):
        fail(f"OpenStack Swift {swift.__version__} is too old: the AWS SDK needs 2.35; run eng/install.sh, which unpacks it.")


def follow_parent(name, parent):
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NAME, name.encode())
    if os.getppid() != parent:
        os._exit(1)


def write(path, text, keep=False):
    """Replaces a file as a whole, so that a kill leaves the old or the new one."""
    if keep and os.path.exists(path):
        return
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def listen(port, what):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError as error:
        fail(f"cannot listen on 127.0.0.1:{port} for the {what}: {error.strerror}.")
    sock.listen(4096)
    return sock


def start_memcached(home, base):
    """memcached chooses a free port itself and tells it by a file, where no port was given."""
    told = os.path.join(home, "memcached.port")
    if os.path.exists(told):
        os.remove(told)
    parent = os.getpid()
    arguments = ["memcached", "-l", "127.0.0.1", "-U", "0", "-m", "64", "-c", "512", "-t", "1", "-p", str(base + 9) if base else "-1"]
    if os.getuid() == 0:
        arguments += ["-u", "root"]
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, close_fds=False,
        env={"PATH": os.environ.get("PATH", "/usr/bin"), "MEMCACHED_PORT_FILENAME": told},
        preexec_fn=lambda: follow_parent("memcached", parent))
    deadline = time.monotonic() + 10
    while not os.path.exists(told):
        if process.poll() is not None or time.monotonic() > deadline:
            fail("memcached did not start.")
        time.sleep(0.01)
    for line in open(told, encoding="ascii"):
        if line.startswith("TCP INET:"):
            return process, int(line.split(":")[1])
    fail("memcached did not tell its port.")


def write_configuration(home, ports, memcached_port, users):
    conf = os.path.join(home, "conf")
    common = f"""[DEFAULT]
bind_ip = 127.0.0.1
swift_dir = {conf}
devices = {home}/data
mount_check = false
disable_fallocate = true
db_preallocation = off
recon_cache_path = {home}/recon
log_level = WARNING
log_address = /nonexistent
log_custom_handlers = s3_swift.log_to_stderr
"""
    # Objects are found by this suffix: with another one, all of them would be lost.
    write(os.path.join(conf, "swift.conf"), f"""[swift-hash]
swift_hash_path_suffix = {secrets.token_hex(16)}
swift_hash_path_prefix = {secrets.token_hex(16)}
[storage-policy:0]
name = Policy-0
default = yes
""", keep=True)
    for name in ("account", "container", "object"):
        write(os.path.join(conf, name + ".conf"), f"""{common}bind_port = {ports[name]}
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
[object-updater]
interval = 30
conn_timeout = 5
""")
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in FILTERS if name not in ("s3api", "tempauth", "versioned_writes"))
    accounts = "".join(f"user_{key.replace(':', '_')} = {secret} .admin\n" for key, secret in users)
    write(os.path.join(conf, "proxy.conf"), f"""{common}bind_port = {ports["proxy"]}
cors_allow_origin = *
strict_cors_mode = false
cors_expose_headers = etag, x-amz-request-id, x-amz-version-id
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 30
recoverable_node_timeout = 30
conn_timeout = 5
# One device cannot be limited for its errors: there is no other one.
error_suppression_limit = 1000000
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached_port}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
cors_preflight_allow_origin = *
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
{accounts}[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
{filters}""")


def write_rings(home, ports):
    """A ring says which partition lives where. With one device it is the same table at any port, so a new port moves no object."""
    from swift.common.ring.ring import RingData
    os.chdir(os.path.join(home, "conf"))
    for name in ("account", "container", "object"):
        device = {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "d1", "meta": "", "ip": "127.0.0.1", "port": ports[name],
                  "replication_ip": "127.0.0.1", "replication_port": ports[name]}
        RingData([array.array("H", [0] * 2 ** PARTITION_POWER)], [device], 32 - PARTITION_POWER).save(name + ".ring.gz")
    os.chdir("/")


def log_to_stderr(conf, name, log_to_console, log_route, fmt, logger, adapted):
    """Called by Swift for each of its loggers; it would otherwise write to syslog."""
    import logging
    handler = logging.StreamHandler(sys.__stderr__)
    # Checksum kinds that clients rarely use and this machine has no library for.
    handler.addFilter(lambda record: not str(record.msg).startswith("No implementation found for CRC"))
    handler.setFormatter(logging.Formatter("s3: %(server)s: %(message)s", defaults={"server": name}))
    logger.handlers[:] = [handler]


def serve(name, sock, conf_file):
    from eventlet.greenio import GreenSocket
    from swift.common import utils, wsgi
    conf = wsgi.appconfig(conf_file, name="main" if name == "proxy" else name + "-server")
    logger = utils.get_logger(conf, name + "-server", log_route="wsgi")
    wsgi.run_server(conf, logger, GreenSocket(sock), global_conf={"log_name": name + "-server"})


def update(conf_file):
    """Brings into the listings what could not be told to the container server when an object was written."""
    from swift.common import utils
    from swift.obj.updater import ObjectUpdater
    conf = utils.readconf(conf_file, "object-updater", log_name="object-updater")
    ObjectUpdater(conf, logger=utils.get_logger(conf, "object-updater")).run_forever()


def end(children):
    """Ends and reaps them all. None holds anything that a kill could lose: files are renamed into place when they are whole."""
    def tell(signal_number):
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)

    deadline = time.monotonic() + 2
    tell(signal.SIGTERM)
    while children:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        children.pop(pid, None)
        if not pid:
            time.sleep(0.01)
        if time.monotonic() > deadline:
            tell(signal.SIGKILL)


def main(home):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    users = [entry.split("=", 1) for entry in os.environ.pop("FLURRTY_S3_USERS").replace(",", " ").split()]
    base = int(os.environ.get("FLURRTY_S3_BASE_PORT") or 0)
    home = os.path.join(home, "swift")
    load_swift()
    for part in ("conf", "recon", "data/d1"):
        os.makedirs(os.path.join(home, part), exist_ok=True)
    try:
        os.setxattr(os.path.join(home, "data/d1"), "user.flurrty", b"1")
    except OSError as error:
        fail(f"the file system of {home} does not keep extended attributes ({error.strerror}), which Swift needs; put the data elsewhere.")
    shutil.rmtree(os.path.join(home, "data/d1/tmp"), ignore_errors=True)

    sockets = {"proxy": listen(int(os.environ["FLURRTY_S3_PORT"]), "S3 API")}
    for offset, name in enumerate(("object", "container", "account")):
        sockets[name] = listen(base + offset if base else 0, name + " server")
    ports = {name: sock.getsockname()[1] for name, sock in sockets.items()}
    say(f"starting Swift with s3api on 127.0.0.1:{ports['proxy']}, data in {home}")
    memcached, memcached_port = start_memcached(home, base)
    write_configuration(home, ports, memcached_port, users)

    import swift.common.utils
    swift.common.utils.set_swift_dir(os.path.join(home, "conf"))
    swift.common.utils.disable_fallocate()
    write_rings(home, ports)
    # Like Swift's own launcher: patched before the forks, while each process makes an event loop of its own after them.
    swift.common.utils.monkey_patch()
    gc.freeze()  # keeps the collector from touching, and thereby copying, the shared pages
    parent = os.getpid()
    children = {memcached.pid: "memcached"}

    def fork(name, work):
        pid = os.fork()
        if pid:
            children[pid] = name
            return
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            follow_parent("swift-" + name, parent)
            for other, sock in sockets.items():
                if other != name:
                    sock.close()
            work()
        except SystemExit as end:
            os._exit(end.code or 0)
        except BaseException as error:  # noqa: B036
            print(f"s3: {name}: {error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(1)

    try:
        for name, count in SERVERS.items():
            for _ in range(count):
                fork(name, lambda name=name: serve(name, sockets[name], os.path.join(home, "conf", name + ".conf")))
        fork("updater", lambda: update(os.path.join(home, "conf", "object.conf")))
        for sock in sockets.values():
            sock.close()
        pid, status = os.wait()
        fail(f"the {children.pop(pid, 'unknown')} process ended by itself with status {os.waitstatus_to_exitcode(status)}.")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end(children)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main(sys.argv[1])
