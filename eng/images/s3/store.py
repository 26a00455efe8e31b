"""The store of s3_swift.py, as it is run natively, with what MinIO's image has besides: reachable from outside, its health paths, its root user."""

import os
import sys
import time

import s3_swift
from swift.common.middleware.tempauth import TempAuth
from swift.common.wsgi import make_pre_authed_request

HEALTH = "/minio/health/"
PROBE = "/v1/AUTH_.health"  # an account that no user has: names of users' accounts do not begin with a dot


def listen_outside(port, what, listen=s3_swift.listen):
    """The servers behind it stay on the loopback interface."""
    if what != "S3 API":
        return listen(port, what)
    sock = s3_swift.socket.create_server(("", port), backlog=4096)
    sock.setsockopt(s3_swift.socket.IPPROTO_TCP, s3_swift.socket.TCP_NODELAY, 1)
    return sock


def write_configuration_with_ours(home, *rest, write=s3_swift.write_configuration):
    write(home, *rest)
    path = os.path.join(home, "conf", "proxy.conf")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for theirs, ours in (("pipeline = catch_errors ", "pipeline = catch_errors minio_health "),
                         ("[filter:tempauth]\nuse = egg:swift#tempauth\n", "[filter:tempauth]\npaste.filter_factory = store:root_user\n")):
        if text.count(theirs) != 1:
            s3_swift.fail(f"the proxy's configuration has no single '{theirs.strip()}'.")
        text = text.replace(theirs, ours)
    s3_swift.write(path, text + "[filter:minio_health]\npaste.filter_factory = store:minio_health\n")


def root_user(global_conf, **local_conf):
    """MinIO's root user has a name without an account; it gets the account of its own name."""
    name, secret = os.environ["MINIO_ROOT_USER"], os.environ["MINIO_ROOT_PASSWORD"]

    def make(app):
        auth = TempAuth(app, {**global_conf, **local_conf})
        auth.users[name] = {"key": secret, "url": f"$HOST/v1/AUTH_{name}", "groups": [".admin"]}
        return auth

    return make


class MinioHealth:
    """Healthy is a store that takes an object and gives it back."""

    def __init__(self, app):
        self.app = app

    def __call__(self, env, start_response):
        if not env.get("PATH_INFO", "").startswith(HEALTH):
            return self.app(env, start_response)
        healthy = self.serves(env)
        start_response("200 OK" if healthy else "503 Service Unavailable", [("Content-Length", "0")])
        return [b""]

    def serves(self, env):
        sent = f"{os.getpid()} {time.time_ns()}".encode()
        path = f"{PROBE}/probe/{os.getpid()}"
        put = self.ask(env, "PUT", path, sent)
        if put.status_int == 404:  # the first time
            self.ask(env, "PUT", f"{PROBE}/probe", b"")
            put = self.ask(env, "PUT", path, sent)
        return put.status_int == 201 and self.ask(env, "GET", path).body == sent

    def ask(self, env, method, path, body=None):
        # Only what a request of our own needs: a client's headers are not passed on.
        own = {key: value for key, value in env.items() if not key.startswith(("HTTP_", "CONTENT_", "QUERY_"))}
        return make_pre_authed_request(own, method, path, body).get_response(self.app)


def minio_health(global_conf, **local_conf):
    return MinioHealth


if __name__ == "__main__":
    s3_swift.listen = listen_outside
    s3_swift.write_configuration = write_configuration_with_ours
    s3_swift.main(sys.argv[1])
