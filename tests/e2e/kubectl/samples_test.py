#!/usr/bin/python3
"""What people copy is accepted as it is: every sample, by the server, with nothing unknown in it, and of every kind one."""
import json
import pathlib
import re
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import ROOT, OcimTest  # noqa: E402

SAMPLES = ROOT / "manifests" / "samples"
GROUP = "ocim.opencraft.com/"
MADE_BY_OTHERS = {"PullRequestFeed", "DatabaseScript"}  # a PullRequestWatch and a Redeployment make their own
# what script/demo fills in where a sample says ${NAME}
FILLED_IN = {"DOMAIN": "example.test", "SUBNET": "10.213.7.0/24", "SSH_PUBLIC_KEY": "ssh-ed25519 AAAA",
             "HAPROXY_DIRECTORY": "/srv/haproxy", "HAPROXY_CONFIG": "/srv/haproxy.cfg",
             "HAPROXY_MASTER": "/srv/master.sock", "REPOSITORY": "http://127.0.0.1:8080/playbook.git",
             "MYSQL_HOST": "10.213.7.1", "AMQP_HOST": "10.213.7.1"}


def documents(file):
    text = re.sub(r"\$\{(\w+)\}", lambda found: FILLED_IN.get(found[1], "8080"), file.read_text())
    return [item for item in yaml.safe_load_all(text) if item]


def manifests():
    """The files for kubectl; those of the demonstration's playbook are Ansible's."""
    return [file for file in sorted(SAMPLES.rglob("*.yaml")) if "playbook" not in file.parts]


class Samples(OcimTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for file in manifests():
            for item in documents(file):
                namespace = item["metadata"]["name"] if item["kind"] == "Namespace" else (
                    item.get("metadata", {}).get("namespace", "default"))
                if namespace != "default" and cls.ocim.kubectl("get", "namespace", namespace, check=False).returncode:
                    cls.ocim.kubectl("create", "namespace", namespace)

    def apply(self, item, *flags):
        return self.ocim.kubectl("apply", "--validate=strict", *flags, "-f", "-", stdin=json.dumps(item), check=False)

    def test_every_sample_is_accepted(self):
        for file in manifests():
            for item in documents(file):
                with self.subTest(file=str(file.relative_to(ROOT)), kind=item["kind"]):
                    done = self.apply(item, "--dry-run=server")
                    self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_sample_that_rots_is_refused(self):
        rotten, = documents(SAMPLES / "sandbox-class.yaml")
        rotten["spec"]["databasses"] = rotten["spec"].pop("databases")
        self.assertIn("databasses", self.apply(rotten, "--dry-run=server").stderr)

    def test_every_kind_that_people_make_is_shown(self):
        shown = {item["kind"] for file in manifests() for item in documents(file) if item["apiVersion"].startswith(GROUP)}
        served = {yaml.safe_load(file.read_text())["spec"]["names"]["kind"] for file in (ROOT / "crd-schemas").glob("*.yaml")}
        self.assertEqual(shown, served - MADE_BY_OTHERS)

    def test_the_installation_holds_together(self):
        for name in "sandbox-class.yaml", "production-class.yaml", *sorted(
                str(file.relative_to(SAMPLES)) for file in (SAMPLES / "installation").glob("*.yaml")):
            for item in documents(SAMPLES / name):
                done = self.apply(item)
                self.assertEqual(done.returncode, 0, f"{name}: {done.stderr}")

    def test_the_two_classes_have_the_old_defaults(self):
        sandbox, = documents(SAMPLES / "sandbox-class.yaml")
        production, = documents(SAMPLES / "production-class.yaml")
        self.assertEqual(sandbox["spec"]["databases"]["mode"], "Ephemeral")
        self.assertEqual(production["spec"]["databases"]["mode"], "Persistent")
        self.assertEqual(production["spec"]["configuration"]["extraVars"],
                         {"DEMO_CREATE_STAFF_USER": False, "demo_test_users": []})
        for one, release in (sandbox, "master"), (production, "open-release/ginkgo.1"):
            self.assertEqual(one["spec"]["release"], release)
            self.assertEqual(one["spec"]["configuration"]["version"], release)
            self.assertEqual(one["spec"]["compute"]["flavor"], {"ram": 4096, "disk": 40})
            self.assertEqual((one["spec"]["compute"]["keyName"], one["spec"]["compute"]["sshUser"]), ("opencraft", "ubuntu"))
        made = json.loads(self.ocim.kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-",
                                            stdin=json.dumps(sandbox)).stdout)["spec"]
        self.assertEqual(made["nameScheme"], "Unique")
        self.assertEqual(made["broker"], {"mode": "RabbitMQ"})
        self.assertEqual(made["configuration"]["totalTimeoutSeconds"], 9000)


if __name__ == "__main__":
    unittest.main()
