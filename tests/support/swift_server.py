#!/usr/bin/python3
"""A real OpenStack Swift of one replica on loopback, in a private directory: Debian's proxy, account, container and object
servers with tempauth. Runs as root and as anybody, and ends with this process.

    swift_server.py --directory DIR --port PORT

Its accounts are t0 to t63, so that every test has one that nobody used. The administrator of t0 is t0:tester with the
key "testing", and t0:tenant with the key "tenant" is one who has no rights of his own.
"""
import argparse
import ctypes
import os
import pwd
import signal
import socket
import sys
import time

SERVERS = ("account", "container", "object")
ACCOUNTS = 64

# tempauth keeps its tokens in memcached: what one proxy process needs of it
CACHE = '''
import time


class Cache:
    def __init__(self):
        self.held = {}

    def get(self, key, raise_on_error=False):
        value, until = self.held.get(key, (None, 0))
        return value if not until or until > time.time() else None

    def set(self, key, value, serialize=True, time=0, min_compress_len=0, raise_on_error=False):
        import time as clock
        self.held[key] = (value, clock.time() + time if time else 0)

    def delete(self, key, server_key=None):
        self.held.pop(key, None)

    def incr(self, key, delta=1, time=0):
        value = int(self.get(key) or 0) + delta
        self.set(key, value, time=time)
        return value

    def get_multi(self, keys, server_key):
        return [self.get(key) for key in keys]


def filter_factory(global_conf, **local_conf):
    cache = Cache()

    def factory(app):
        def middleware(environ, start_response):
            environ["swift.cache"] = cache
            return app(environ, start_response)
        return middleware
    return factory
'''


def common(directory, port):
    return f"""[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {pwd.getpwuid(os.geteuid()).pw_name}
disable_fallocate = true
fallocate_reserve = 0
log_address = {directory}/nosyslog
log_level = WARNING
conn_timeout = 20
node_timeout = 60
"""


def proxy(directory, port):
    filters = ["catch_errors", "gatekeeper", "cache", "listing_formats", "bulk", "tempauth", "copy", "slo", "dlo",
               "versioned_writes", "symlink"]
    out = common(directory, port) + f"[pipeline:main]\npipeline = {' '.join(filters)} proxy-server\n"
    out += ("[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\nallow_account_management = true\n"
            "conn_timeout = 20\nnode_timeout = 60\nrecoverable_node_timeout = 60\nerror_suppression_limit = 1000000\n")
    for name in filters:
        out += f"[filter:{name}]\n"
        out += "paste.filter_factory = swift_test_cache:filter_factory\n" if name == "cache" else f"use = egg:swift#{name}\n"
        if name == "tempauth":
            for account in range(ACCOUNTS):
                out += f"user_t{account}_tester = testing .admin\nuser_t{account}_tenant = tenant\n"
        if name == "versioned_writes":
            out += "allow_versioned_writes = true\nallow_object_versioning = true\n"
    return out


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def free_ports(count):
    holders = [socket.socket() for _ in range(count)]
    for holder in holders:
        holder.bind(("127.0.0.1", 0))
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def configure(directory, port):
    os.makedirs(f"{directory}/devices/d1", exist_ok=True)
    write(f"{directory}/swift.conf", "[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n"
          "[storage-policy:0]\nname = Policy-0\ndefault = yes\n")
    write(f"{directory}/swift_test_cache.py", CACHE)
    write(f"{directory}/proxy-server.conf", proxy(directory, port))
    from swift.common.utils import set_swift_dir
    set_swift_dir(directory)
    from swift.common.ring import RingBuilder
    ports = free_ports(len(SERVERS))
    for name, inner in zip(SERVERS, ports):
        write(f"{directory}/{name}-server.conf", common(directory, inner) +
              f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}\n"
              "conn_timeout = 20\nnode_timeout = 60\n")
        builder = RingBuilder(4, 1, 0)
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": inner, "device": "d1",
                         "meta": "", "replication_ip": "127.0.0.1", "replication_port": inner})
        builder.rebalance()
        builder.get_ring().save(f"{directory}/{name}.ring.gz")
    return ports


def wait_for(port):
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            time.sleep(0.05)


def serve(directory, name):
    """In a child: one of the servers, which ends when its parent does."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    sys.path.insert(0, directory)
    from swift.common.wsgi import run_wsgi
    sys.exit(run_wsgi(f"{directory}/{name}-server.conf", f"{name}-server", verbose=True, default_port=0))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    ports = configure(given.directory, given.port)
    children = []
    for name in (*SERVERS, "proxy"):
        if name == "proxy":  # or it would answer for servers that are not there yet
            for port in ports:
                wait_for(port)
        child = os.fork()
        if child == 0:
            serve(given.directory, name)
        children.append(child)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        os.wait()
    finally:
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass


if __name__ == "__main__":
    main()
