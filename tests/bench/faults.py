"""How long objects take to say that their backend failed, and to be well again, with real servers.

    script/bench faults [PROVIDER…]    of powerdns, haproxy, mariadb, rabbitmq

Each backend is killed, stopped (SIGSTOP), given another password, and replaced by somebody who answers garbage, while one
more object waits for it: its objects must say so within 10 s. It is also killed while nothing waits: it is then probed
every 30 s only. `well_again` counts from the moment when the server itself answers again.
"""
import base64
import json
import os
import pathlib
import signal
import socket
import tempfile
import threading
import time
import urllib.request

from stage import Stage, answers, wait_for

TARGETS = ["ocim"]
PROMISE = 10
DEADLINE = 100
GROUP = "ocim.opencraft.com/v1alpha1"


class Babbler:
    """Somebody who takes every connection at that place and answers with a page, whatever is asked."""

    def __init__(self, where):
        self.where = where
        if isinstance(where, str):
            pathlib.Path(where).unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_for(f"{where} is free", self.bound, 30)  # who was killed may take a moment to go
        self.socket.listen(64)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def bound(self):
        try:
            self.socket.bind(self.where)
            return True
        except OSError:
            return False

    def serve(self):
        page = b"<html><body><h1>It works!</h1></body></html>"
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(0.2)  # a server of this protocol may have to speak first
                try:
                    peer.recv(65536)
                except OSError:
                    pass
                try:
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                                 % len(page) + page)
                except OSError:
                    pass

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        if isinstance(self.where, str):
            pathlib.Path(self.where).unlink(missing_ok=True)


class Provider:
    """One server, the backend that stands for it, and its objects."""

    def __init__(self, stage):
        self.stage = stage

    def is_up(self):
        raise NotImplementedError

    def declare(self):
        self.stage.apply(*self.secrets(), {"apiVersion": GROUP, "kind": self.backend, "metadata": {"name": "bench"},
                                           "spec": self.backend_spec()})
        self.add(5)

    def add(self, count, prefix="o"):
        self.stage.apply(*[{"apiVersion": GROUP, "kind": self.kind, "metadata": {"name": f"{prefix}{n}", "namespace": "bench"},
                            "spec": self.spec(f"{prefix}{n}")} for n in range(count)])

    def conditions(self):
        return [next((c for c in item.get("status", {}).get("conditions", []) if c["type"] == "Ready"), {})
                for item in self.stage.get(self.kind.lower(), "-n", "bench")["items"]]

    def all_ready(self):
        return all(c.get("status") == "True" for c in self.conditions())

    def all_say_so(self):
        return all(c.get("status") != "True" and c.get("reason", "").startswith("Backend") for c in self.conditions())

    # --- faults: each returns what ends it

    def kill(self):
        self.stage.stop(self.process, signal.SIGKILL)
        return lambda: self.stage.start_again(self.process)

    def freeze(self):
        group = self.stage.processes[self.process].pid
        os.killpg(group, signal.SIGSTOP)
        return lambda: os.killpg(group, signal.SIGCONT)

    def babble(self):
        self.stage.stop(self.process, signal.SIGKILL)
        babbler = Babbler(self.place())

        def end():
            babbler.stop()
            self.stage.start_again(self.process)
        return end

    def faults(self):
        return {"killed": self.kill, "stopped": self.freeze, "password changed": self.refuse, "garbage": self.babble}


class PowerDNS(Provider):
    process, backend, kind = "powerdns", "DNSZone", "DNSRecord"

    def start(self):
        self.stage.start_powerdns("example.test")

    def is_up(self):
        return self.stage.powerdns_api("GET", "/zones") is not None

    def secrets(self):
        return [self.stage.secret("bench-powerdns", {"apiKey": self.stage.facts["POWERDNS_KEY"]})]

    def backend_spec(self):
        return {"domain": "example.test", "powerdns": {"url": f"http://127.0.0.1:{self.stage.facts['POWERDNS_PORT']}"},
                "credentialsRef": {"name": "bench-powerdns"}}

    def spec(self, name):
        return {"zoneRef": {"name": "bench"}, "name": f"{name}.example.test", "type": "A", "values": ["192.0.2.1"]}

    def place(self):
        return ("127.0.0.1", self.stage.facts["POWERDNS_PORT"])

    def restart_with(self, old, new):
        path = self.stage.path("powerdns", "pdns.conf")
        self.stage.stop(self.process, signal.SIGKILL)
        path.write_text(path.read_text().replace(f"api-key={old}", f"api-key={new}"))
        self.stage.start_again(self.process)
        wait_for("the port", lambda: answers(*self.place()), 30)

    def refuse(self):
        key = self.stage.facts["POWERDNS_KEY"]
        self.restart_with(key, "another")
        return lambda: self.restart_with("another", key)


class HAProxy(Provider):
    process, backend, kind = "haproxy", "LoadBalancer", "LoadBalancerFragment"

    def start(self):
        self.stage.start_haproxy()

    def is_up(self):
        return answers("127.0.0.1", self.stage.facts["HTTP_PORT"])

    def secrets(self):
        return []

    def backend_spec(self):
        return {"domain": "lb.example.test",
                "haproxy": {"local": {}, "directory": self.stage.facts["HAPROXY_DIRECTORY"],
                            "configFiles": [self.stage.facts["HAPROXY_CONFIG"]],
                            "masterSocket": self.stage.facts["HAPROXY_MASTER"]}}

    def spec(self, name):
        return {"loadBalancerRef": {"name": "bench"}, "domains": [f"{name}.example.test"],
                "servers": [{"name": "a", "address": "127.0.0.1", "port": 9}]}

    def place(self):
        return self.stage.facts["HAPROXY_MASTER"]

    def faults(self):  # its files are root's, as we are: there is no password
        return {"killed": self.kill, "stopped": self.freeze, "garbage": self.babble}


class MariaDB(Provider):
    process, backend, kind = "mariadb", "DatabaseServer", "DatabaseTenant"

    def start(self):
        self.stage.start_mariadb("127.0.0.1")

    def is_up(self):
        return self.stage.sql("SELECT 1", check=False).returncode == 0

    def secrets(self):
        return [self.stage.secret("bench-mysql", {"username": "ocim", "password": self.stage.facts["MYSQL_ADMIN_PASSWORD"]})]

    def backend_spec(self):
        return {"mysql": {"host": "127.0.0.1", "port": self.stage.facts["MYSQL_PORT"]}, "credentialsRef": {"name": "bench-mysql"}}

    def spec(self, name):
        return {"serverRef": {"name": "bench"}, "databases": [{"name": f"bench_{name}"}], "deletionPolicy": "Delete"}

    def place(self):
        return ("127.0.0.1", self.stage.facts["MYSQL_PORT"])

    def set_password(self, password):
        self.stage.sql(f"ALTER USER 'ocim'@'%' IDENTIFIED BY '{password}'")
        # sessions keep what they logged in with
        for session in self.stage.sql("SELECT ID FROM information_schema.PROCESSLIST WHERE USER='ocim'").stdout.split():
            self.stage.sql(f"KILL {session}", check=False)

    def refuse(self):
        self.set_password("another")
        return lambda: self.set_password(self.stage.facts["MYSQL_ADMIN_PASSWORD"])


class RabbitMQ(Provider):
    process, backend, kind = "rabbitmq", "RabbitMQServer", "RabbitMQVhost"

    def start(self):
        self.stage.start_rabbitmq("127.0.0.1")
        self.put_user("bench", self.stage.facts["RABBITMQ_PASSWORD"])

    def put_user(self, name, password):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.stage.facts['RABBITMQ_PORT']}/api/users/{name}", method="PUT",
            data=json.dumps({"password": password, "tags": "administrator"}).encode())
        login = base64.b64encode(f"ocim:{self.stage.facts['RABBITMQ_PASSWORD']}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        urllib.request.urlopen(request, timeout=5).close()

    def is_up(self):
        return self.stage.rabbitmq_api("whoami") is not None

    def secrets(self):
        return [self.stage.secret("bench-rabbitmq", {"username": "bench", "password": self.stage.facts["RABBITMQ_PASSWORD"]})]

    def backend_spec(self):
        return {"managementURL": f"http://127.0.0.1:{self.stage.facts['RABBITMQ_PORT']}",
                "instanceURL": f"amqp://127.0.0.1:{self.stage.facts['AMQP_PORT']}", "credentialsRef": {"name": "bench-rabbitmq"}}

    def spec(self, name):
        return {"serverRef": {"name": "bench"}, "vhost": name, "users": [], "deletionPolicy": "Delete"}

    def place(self):
        return ("127.0.0.1", self.stage.facts["RABBITMQ_PORT"])

    def refuse(self):
        self.put_user("bench", "another")
        return lambda: self.put_user("bench", self.stage.facts["RABBITMQ_PASSWORD"])


def row(provider, name, strike, waiting, number):
    stage = provider.stage
    end = strike()
    began = time.monotonic()
    if waiting:
        provider.add(1, f"later{number}")
    try:
        wait_for(f"{provider.kind} says so", provider.all_say_so, DEADLINE)
        said = time.monotonic() - began
    finally:
        end()
    wait_for(f"{provider.process} is up", provider.is_up, 90)
    began = time.monotonic()
    wait_for(f"{provider.kind} is well again", provider.all_ready, DEADLINE)
    well = time.monotonic() - began
    return {"provider": provider.process, "fault": name, "work": "waits" if waiting else "none", "said_s": round(said, 2),
            "promise_s": PROMISE, "kept": said <= PROMISE, "well_again_s": round(well, 2)}


def measure(words):
    known = {kind.process: kind for kind in (PowerDNS, HAProxy, MariaDB, RabbitMQ)}
    rows = []
    with tempfile.TemporaryDirectory(prefix="ocim-bench-") as folder:
        stage = Stage(pathlib.Path(folder) / "stage")
        try:
            stage.start_ocim()
            stage.kubectl("create", "namespace", "bench")
            for name in words or known:
                provider = known[name](stage)
                provider.start()
                provider.declare()
                wait_for(f"{provider.kind} is ready", provider.all_ready, DEADLINE)
                number = 0
                for fault, strike in provider.faults().items():
                    rows.append(row(provider, fault, strike, True, number := number + 1))
                rows.append(row(provider, "killed", provider.kill, False, 0))
                stage.stop(provider.process, signal.SIGKILL)
        finally:
            for process in list(stage.processes):
                stage.stop(process, signal.SIGKILL)
    return rows
