"""What the scenarios of this folder share: a stage with every server, one Instance, and other programs' eyes."""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "script"))
from replicas import stage_class  # noqa: E402
from stage import MODE, Stage, StageError, free_port, wait_for  # noqa: E402

READY = 300  # ten times and more what it takes
DRIFT = 60   # the backends of the scenarios look every 2 s


class Scenario(unittest.TestCase):
    """One stage for all tests of a class, in the order of their names."""

    maxDiff = None
    drift_interval = "2s"
    stage_class = stage_class()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        cls.stage = cls.stage_class(pathlib.Path(cls.folder.name) / "stage")
        try:
            cls.stage.raise_curtain()
            for kind in ("cloud", "dnszone", "loadbalancer", "databaseserver", "rabbitmqserver", "monitoringservice"):
                for item in cls.stage.get(kind)["items"]:
                    cls.patch(kind, item["metadata"]["name"], {"spec": {"driftInterval": cls.drift_interval}}, namespace=None)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        failed = os.environ.get("OCIM_KEEP")
        cls.stage.lower_curtain()
        if failed:
            subprocess.run(["cp", "-a", cls.folder.name, failed], check=False)
        cls.folder.cleanup()

    # --- saying

    @classmethod
    def patch(cls, kind, name, patch, namespace="campus"):
        where = ["-n", namespace] if namespace else []
        return cls.stage.kubectl("patch", kind, name, *where, "--type=merge", "-p", json.dumps(patch))

    @classmethod
    def declare_site(cls):
        cls.stage.apply(*cls.stage.manifests(ROOT / "manifests/samples/demo"))

    @classmethod
    def instance(cls, name="demo", **spec):
        return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Instance",
                "metadata": {"name": name, "namespace": "campus"}, "spec": {"className": "demo", "subdomain": name, **spec}}

    def refusal(self, item):
        """Why an object is not had: what kubectl is told, or its own condition where the API server does not ask us."""
        run = self.stage.kubectl("apply", "-f", "-", input=json.dumps(item), check=False)
        if run.returncode:
            return run.stderr
        self.assertEqual(MODE, "operator", "it was let in")
        kind, name, namespace = item["kind"].lower(), item["metadata"]["name"], item["metadata"]["namespace"]
        wait_for(f"{kind} {name} is refused",
                 lambda: self.condition(kind, name, "Stalled", namespace=namespace)["status"] == "True", 60)
        message = self.condition(kind, name, namespace=namespace)["message"]
        self.stage.kubectl("delete", kind, name, "-n", namespace, "--timeout=60s")
        return message

    # --- looking

    def condition(self, kind, name, type_="Ready", namespace="campus"):
        where = ["-n", namespace] if namespace else []
        found = self.stage.get(kind, name, *where) or {}
        for condition in found.get("status", {}).get("conditions", []):
            if condition["type"] == type_:
                return condition
        return {"status": "Unknown", "reason": "", "message": ""}

    def wait_ready(self, kind="instance", name="demo", namespace="campus", seconds=READY):
        try:
            wait_for(f"{kind} {name} is Ready",
                     lambda: self.condition(kind, name, namespace=namespace)["status"] == "True", seconds)
        except StageError as error:
            where = ["-n", namespace] if namespace else []
            told = self.stage.kubectl("describe", kind, name, *where, check=False).stdout
            self.fail(f"{error}\n{told}\n{self.stage.end_of_log('ocim')}")

    def secret(self, name, key, namespace="campus"):
        found = self.stage.get("secret", name, "-n", namespace)
        return base64.b64decode(found["data"][key]).decode()

    def instance_status(self, name="demo"):
        return self.stage.get("instance", name, "-n", "campus")["status"]

    def dig(self, name, kind="A"):
        run = subprocess.run(["dig", "+short", "+time=10", "+tries=3", "@127.0.0.1", "-p", str(self.stage.facts["DNS_PORT"]),
                              name, kind], capture_output=True, text=True)
        return run.stdout.split()

    def mariadb(self, user, password, statement, database=""):
        options = pathlib.Path(self.folder.name) / "client.cnf"
        options.touch(mode=0o600)
        options.write_text(f"[client]\nuser={user}\npassword={password}\nhost={self.stage.facts['MYSQL_HOST']}\n"
                           f"port={self.stage.facts['MYSQL_PORT']}\n")
        return subprocess.run(["mariadb", f"--defaults-file={options}", "-N", "-B", *([database] if database else [])],
                              input=statement, capture_output=True, text=True, timeout=60)

    def databases(self):
        return set(self.stage.sql("SHOW DATABASES").stdout.split()) - {
            "information_schema", "mysql", "performance_schema", "sys", "ocim_meta"}

    def curl(self, host, *words, path="/"):
        port = self.stage.facts["HTTP_PORT"]
        return subprocess.run(["curl", "-sS", "--max-time", "60", "--resolve", f"{host}:{port}:127.0.0.1", "-o", "-", "-w",
                               "\n%{http_code}", *words, f"http://{host}:{port}{path}"], capture_output=True, text=True)

    def page(self, host="demo.example.test"):
        """(status, body) through the load balancer."""
        run = self.curl(host)
        body, _, status = run.stdout.rpartition("\n")
        return int(status or 0), body

    def wait_served(self, host="demo.example.test"):
        def served():
            status, body = self.page(host)
            return body if status == 200 and "database: ok" in body and "broker:   ok" in body else None
        return wait_for(f"{host} is served", served, 60)

    def ssh(self, address, *words):
        return subprocess.run(["ssh", "-i", self.stage.path("ssh", "key"), "-o", "StrictHostKeyChecking=no", "-o",
                               "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30",
                               f"root@{address}", *words], capture_output=True, text=True, timeout=120)

    def machines(self):
        """The machines that there are, by their folders, and the processes that keep them."""
        folders = sorted(p.name for p in self.stage.path("ocim").glob("local-cloud/local/*") if p.is_dir())
        found = subprocess.run(["pgrep", "-f", f"machine start {self.stage.path('ocim')}/"], capture_output=True, text=True)
        pids = found.stdout.split()
        # each keeper's child is the first process inside the machine
        return folders, [pid for pid in pids if self.parent(pid) not in pids]

    @staticmethod
    def parent(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return ""

    def events(self, reason, namespace="campus"):
        listed = self.stage.get("events.events.k8s.io", "-n", namespace)["items"]
        return [e for e in listed if e["reason"] == reason]

    def metric(self, metric_name, /, **labels):
        """The sum of the series of that name that carry these labels."""
        total = 0.0
        for line in self.stage.metrics().splitlines():
            head, _, value = line.rpartition(" ")
            if head.split("{")[0] == metric_name and all(f'{k}="{v}"' in head for k, v in labels.items()):
                total += float(value)
        return total
