"""A stage in replicated mode: three `ocim serve` on one PostgreSQL, and a load balancer that leads each connection to the next.

To whoever stands on it "ocim" is one process: what is done to it is done to the one that runs the controllers.
"""
import os
import pathlib
import random
import secrets
import shutil
import subprocess
import tempfile
import urllib.request

import stage
from stage import Stage, answers, wait_for

NAMES = ("ocim", "ocim-2", "ocim-3")
POSTGRESQL = pathlib.Path("/usr/lib/postgresql/15/bin")
TAKEN_OVER = 60  # s; it takes less than 5
# What all must have alike. Machines and playbooks are on this host, so there is one folder of each.
ALIKE = ("encryption-keys", "pki/ca.crt", "pki/ca.key", "pki/service-account.key")
SHARED = ("local-cloud", "runner")


class ReplicatedStage(Stage):
    # --- the database

    def start_postgresql(self):
        """Its data is not below this stage's directory, which only root may enter, and the server refuses to be root."""
        self.database = pathlib.Path(tempfile.mkdtemp(prefix="ocim-postgresql-"))
        if os.geteuid() == 0:
            shutil.chown(self.database, "postgres", "postgres")
        data, port = self.database / "data", self.port("postgresql")
        subprocess.run(self.as_owner(POSTGRESQL / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256",
                                     "--auth-local=trust", "-N", "--locale=C.UTF-8", "-E", "UTF8"),
                       check=True, capture_output=True, cwd="/")
        self.start("postgresql", self.as_owner(
            POSTGRESQL / "postgres", "-D", data, "-p", port, "-k", self.database, "-c", "listen_addresses=127.0.0.1",
            "-c", "fsync=off", "-c", "shared_buffers=32MB"))
        self.wait_until_up("postgresql", lambda: self.psql("SELECT 1", check=False).returncode == 0)
        password = self.path("database-password")
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(16))
        self.psql(f"CREATE ROLE ocim LOGIN PASSWORD '{password.read_text()}'; CREATE DATABASE ocim OWNER ocim")

    @staticmethod
    def as_owner(*command):
        owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        return [*owner, *(str(word) for word in command)]

    def psql(self, statements, database="postgres", check=True):
        """As the server's administrator, a statement at a time, as CREATE DATABASE wants to be alone."""
        words = [word for statement in statements.split("; ") for word in ("-c", statement)]
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-h", self.database, "-p", str(self.port("postgresql")), "-U",
                               "postgres", "-d", database, *words], capture_output=True, text=True, check=check)

    # --- the replicas

    def start_ocim(self, *flags):
        """Those of them that do not run."""
        if "postgresql" not in self.processes:
            self.start_postgresql()
        for name in NAMES:
            if name in self.processes:
                continue
            if name != NAMES[0] and not self.path(name, "pki").exists():
                self.make_like_the_first(name)
            self.start(name, [
                stage.OCIM, "serve", "--data-dir", self.path(name), "--listen", f"127.0.0.1:{self.port(f'api of {name}')}",
                "--metrics-listen", f"127.0.0.1:{self.port(f'metrics of {name}')}", "--local-machines", "--store",
                f"postgres://ocim@127.0.0.1:{self.port('postgresql')}/ocim", "--store-password-file",
                self.path("database-password"), *self.flags_of(name, flags)])
            if name == NAMES[0]:
                self.wait_until_replica_is_up(name)  # it makes what the others are given
        for name in NAMES:
            self.wait_until_replica_is_up(name)
        if "door" not in self.processes:
            self.start_door()

    def flags_of(self, name, flags):
        """Each takes webhooks at a port of its own."""
        out = list(flags)
        if "--webhook-listen" in out:
            out[out.index("--webhook-listen") + 1] = f"127.0.0.1:{self.port(f'webhooks of {name}')}"
        return out

    def webhook_port(self):
        """Only who leads knows what they are signed with."""
        return self.port(f"webhooks of {self.leader()}")

    def wait_until_replica_is_up(self, name):
        self.wait_until_up(name, lambda: self.is_ready(f"metrics of {name}") and self.path(name, "kubeconfig").exists())

    def make_like_the_first(self, name):
        first, folder = self.path(NAMES[0]), self.path(name, "pki", "x").parent.parent
        folder.chmod(0o700)
        for file in ALIKE:
            shutil.copy2(first / file, folder / file)
        for shared in SHARED:
            (first / shared).mkdir(mode=0o700, exist_ok=True)
            (folder / shared).symlink_to(first / shared)

    def start_door(self):
        """Whoever finds a replica gone is led to the next."""
        config = self.path("door", "door.cfg")
        config.write_text("global\n    maxconn 2000\n"
                          "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 10m\n    timeout server 10m\n"
                          "    option redispatch 1\n    retries 6\n    balance roundrobin\n"
                          f"listen api\n    bind 127.0.0.1:{self.port('api')}\n" +
                          "".join(f"    server {name} 127.0.0.1:{self.port(f'api of {name}')}\n" for name in NAMES))
        self.start("door", ["haproxy", "-db", "-f", config])
        self.wait_until_up("door", lambda: answers("127.0.0.1", self.port("api")))
        text = self.path(NAMES[0], "kubeconfig").read_text()
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(text.replace(f"127.0.0.1:{self.port(f'api of {NAMES[0]}')}", f"127.0.0.1:{self.port('api')}"))

    # --- who leads

    def leader(self):
        """Its name, as soon as there is one."""
        return wait_for("one of the replicas leads", lambda: next(
            (name for name in NAMES if name in self.processes and self.leads(name)), None), TAKEN_OVER)

    def leads(self, name):
        return 'leader_election_master_status{name="ocim-controller"} 1' in self.metrics_of(name)

    def metrics_of(self, name):
        """"" of one that does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port(f'metrics of {name}')}/metrics", timeout=60) as reply:
                return reply.read().decode()
        except OSError:
            return ""

    def metrics_port(self):
        return self.port(f"metrics of {self.leader()}")

    def ocim_is_ready(self):
        return all(self.is_ready(f"metrics of {name}") for name in NAMES if name in self.processes)

    # --- what is done to one, and what is left of all

    def kill(self, name):
        super().kill(self.leader() if name == NAMES[0] else name)

    def end_of_log(self, name, lines=15):
        names = NAMES if name == NAMES[0] else [name]
        return "\n".join(super(ReplicatedStage, self).end_of_log(one, lines) for one in names)

    def homes(self):
        return [self.path(name) for name in NAMES]

    def lower_curtain(self):
        """The database goes last: it waits for whoever is connected."""
        for name in [name for name in self.processes if name != "postgresql"]:
            self.stop(name)
        super().lower_curtain()
        if hasattr(self, "database"):
            shutil.rmtree(self.database, ignore_errors=True)


def stage_class():
    """Of the way to run that the environment names."""
    return ReplicatedStage if stage.MODE == "replicated" else Stage
