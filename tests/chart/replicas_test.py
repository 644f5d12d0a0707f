#!/usr/bin/python3
"""The chart's replicated mode, without a cluster: what docs/install-helm.md says goes into its Secrets, then what its pods run, with the
places of containers in directories, on a real PostgreSQL. All serve the same, one leads, and another does when that is killed."""
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "script"))
from chart import ROOT, find, render  # noqa: E402
from replicas import ALIKE, ReplicatedStage  # noqa: E402
from stage import KUBECTL, OCIM, wait_for  # noqa: E402

VALUES = ROOT / "tests" / "chart" / "values" / "replicated.yaml"
PODS = ("ocim-0", "ocim-1", "ocim-2")


class Replicas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ocim-chart-")
        cls.addClassCleanup(folder.cleanup)
        cls.stage = ReplicatedStage(folder.name)
        cls.addClassCleanup(cls.clear)
        cls.stage.start_postgresql()
        cls.pod = find(render("--values", VALUES), "StatefulSet")["spec"]["template"]["spec"]
        cls.make_secrets()
        for name in PODS:
            cls.start_pod(name)
        for name in PODS:
            cls.stage.wait_until_up(name, lambda n=name: cls.stage.is_ready(f"metrics of {n}"))

    @classmethod
    def clear(cls):
        for name in reversed([*cls.stage.processes]):
            cls.stage.stop(name)
        shutil.rmtree(cls.stage.database, ignore_errors=True)

    @classmethod
    def make_secrets(cls):
        first, secrets = cls.stage.path("first"), cls.stage.path("secrets", "x").parent
        cls.stage.start("first", [OCIM, "serve", "--data-dir", first, "--no-controllers", "--listen", "127.0.0.1:0",
                                  "--metrics-listen", "127.0.0.1:0", "--encryption-passphrase-file", cls.secret("vault", passphrase="secret")])
        cls.stage.wait_until_up("first", lambda: (first / "kubeconfig").exists())
        cls.stage.stop("first")
        cls.secret("ocim-alike", **{pathlib.Path(file).name: (first / file).read_text() for file in ALIKE})
        cls.secret("ocim-store", password=cls.stage.path("database-password").read_text(),
                   url=f"postgres://ocim@127.0.0.1:{cls.stage.port('postgresql')}/ocim")
        cls.secrets = secrets

    @classmethod
    def secret(cls, name, **data):
        """As it is mounted; the path of its last file."""
        for key, text in data.items():
            path = cls.stage.path("secrets", name, key)
            path.touch(mode=0o440)
            path.write_text(text)
        return path

    @classmethod
    def start_pod(cls, name):
        """Its containers one after another, each place in them where this host has it."""
        home = cls.stage.path(name, "x").parent
        secrets = {v["name"]: v["secret"]["secretName"] for v in cls.pod["volumes"] if "secret" in v}
        before, after = cls.pod["initContainers"][0], cls.pod["containers"][0]
        places = {m["mountPath"]: str(cls.secrets / secrets[m["name"]]) if m["name"] in secrets else str(home)
                  for m in before["volumeMounts"] + after["volumeMounts"]}

        def here(text):
            return re.sub("|".join(sorted(places, key=len, reverse=True)), lambda found: places[found[0]], text)
        subprocess.run([*before["command"], *before["args"]], check=True,
                       env=os.environ | {e["name"]: here(e["value"]) for e in before["env"]})
        url, = (e["valueFrom"]["secretKeyRef"] for e in after["env"] if e["name"] == "OCIM_STORE")
        arguments = [here(a).replace("$(OCIM_STORE)", (cls.secrets / url["name"] / url["key"]).read_text())
                     .replace("0.0.0.0:7443", f"127.0.0.1:{cls.stage.port(f'api of {name}')}")
                     .replace("0.0.0.0:7480", f"127.0.0.1:{cls.stage.port(f'metrics of {name}')}") for a in after["args"]]
        cls.stage.start(name, [OCIM, *arguments])

    def kubectl(self, name, *words):
        return subprocess.run([KUBECTL, "--kubeconfig", self.stage.path(name, "data", "kubeconfig"), *words], capture_output=True,
                              text=True, timeout=60, check=True).stdout

    def leading(self):
        said = 'leader_election_master_status{name="ocim-controller"} 1'
        return [name for name in PODS if name in self.stage.processes and said in self.metrics(name)]

    def metrics(self, name):
        return self.kubectl(name, "get", "--raw", "/metrics")

    def test_1_what_one_is_told_all_know(self):
        self.kubectl("ocim-0", "create", "secret", "generic", "told", "--from-literal=word=once")
        for name in PODS:
            found = json.loads(self.kubectl(name, "get", "secret", "told", "-o", "json"))
            self.assertEqual(base64.b64decode(found["data"]["word"]), b"once")

    def test_2_a_certificate_of_one_is_good_at_all(self):
        for name in PODS:
            server = f"https://127.0.0.1:{self.stage.port(f'api of {name}')}"
            self.assertIn("ocim-admin", self.kubectl("ocim-1", "--server", server, "auth", "whoami"))

    def test_3_one_leads_and_another_when_it_is_killed(self):
        first, = wait_for("one leads", self.leading, 60)
        self.stage.kill(first)
        second, = wait_for("another leads", self.leading, 60)
        self.assertNotEqual(first, second)
        self.start_pod(first)  # as the kubelet does, on the directory that it had
        self.stage.wait_until_up(first, lambda: self.stage.is_ready(f"metrics of {first}"))
        self.assertEqual(self.leading(), [second])


if __name__ == "__main__":
    unittest.main()
