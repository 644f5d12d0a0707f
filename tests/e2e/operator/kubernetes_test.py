#!/usr/bin/python3
"""`ocim controller` on a real Kubernetes: kube-apiserver 1.20, the oldest that it is for, with etcd. A site is made, changed and
deleted with the rights of manifests/install, its log is read by whom that server knows, and one controller dies and another goes on.
The first run builds the server, which takes minutes."""
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest
import urllib.request

import yaml

os.environ["OCIM_MODE"] = "operator"
ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/e2e/openedx")]
from case import READY, Scenario, Stage, free_port, wait_for  # noqa: E402
from stage import OCIM  # noqa: E402

PROGRAMS = pathlib.Path(os.environ.get("OCIM_KUBERNETES", ROOT / ".deps/kubernetes-1.20"))
BUILD_SECONDS = 3600


class KubernetesStage(Stage):
    """Its process "api" is kube-apiserver."""

    def start_serve(self, name, metrics, *flags, definitions=True):
        subprocess.run([ROOT / "script/kube-apiserver", PROGRAMS], check=True, timeout=BUILD_SECONDS)
        peers, clients = free_port(), free_port()
        at = f"http://127.0.0.1:{clients}"
        self.start("etcd", [PROGRAMS / "etcd", "--data-dir", self.path("etcd"), "--listen-client-urls", at,
                            "--advertise-client-urls", at, "--listen-peer-urls", f"http://127.0.0.1:{peers}",
                            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}",
                            "--initial-cluster", f"default=http://127.0.0.1:{peers}"])
        self.make_certificates()
        pki, port = self.path("pki", "x").parent, self.port("api")
        self.start(name, [PROGRAMS / "kube-apiserver", "--etcd-servers", at, "--bind-address=127.0.0.1",
                          f"--secure-port={port}", "--advertise-address=127.0.0.1", "--insecure-port=0",
                          f"--tls-cert-file={pki}/api.crt", f"--tls-private-key-file={pki}/api.key",
                          f"--client-ca-file={pki}/ca.crt", "--authorization-mode=RBAC",
                          "--service-account-issuer=https://kubernetes.default.svc",
                          f"--service-account-key-file={pki}/tokens.key",
                          f"--service-account-signing-key-file={pki}/tokens.key",
                          "--api-audiences=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/24",
                          f"--cert-dir={pki}", "--min-request-timeout=10",  # a watch ends in order after 10 to 20 s
                          "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"])
        self.write_kubeconfig(port)
        self.wait_until_up(name, lambda: self.kubectl("get", "--raw", "/readyz", check=False).stdout == "ok")
        if not definitions:
            return
        self.kubectl("create", "--validate=false", *(f"-f={path}" for path in sorted((ROOT / "crd-schemas").glob("*.yaml"))),
                     seconds=120)
        self.kubectl("wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=60s", seconds=90)

    def make_certificates(self):
        pki = self.path("pki", "x").parent
        pki.chmod(0o700)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        subprocess.run(["openssl", "req", "-x509", *key, "-keyout", pki / "ca.key", "-out", pki / "ca.crt", "-subj", "/CN=ca"],
                       check=True, capture_output=True)
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", pki / "tokens.key", "2048"], check=True, capture_output=True)
        for who, subject, extension in (("api", "/CN=api", "subjectAltName=IP:127.0.0.1"),
                                        ("admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth")):
            subprocess.run(["openssl", "req", "-new", *key[:-2], "-keyout", pki / f"{who}.key", "-out", pki / f"{who}.csr",
                            "-subj", subject], check=True, capture_output=True)
            (pki / "extensions").write_text(extension)
            subprocess.run(["openssl", "x509", "-req", "-in", pki / f"{who}.csr", "-CA", pki / "ca.crt", "-CAkey",
                            pki / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", pki / "extensions", "-out",
                            pki / f"{who}.crt"], check=True, capture_output=True)

    def write_kubeconfig(self, port):
        def data(name):
            return base64.b64encode(self.path("pki", name).read_bytes()).decode()
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "k",
            "clusters": [{"name": "k", "cluster": {"server": f"https://127.0.0.1:{port}",
                                                   "certificate-authority-data": data("ca.crt")}}],
            "users": [{"name": "k", "user": {"client-certificate-data": data("admin.crt"),
                                             "client-key-data": data("admin.key")}}],
            "contexts": [{"name": "k", "context": {"cluster": "k", "user": "k"}}]}))


class Kubernetes(Scenario):
    stage_class = KubernetesStage

    def test_01_it_is_what_it_should_be(self):
        groups = json.loads(self.stage.kubectl("get", "--raw", "/apis").stdout)["groups"]
        served = {version["groupVersion"] for group in groups for version in group["versions"]}
        self.assertIn("policy/v1beta1", served)
        self.assertNotIn("policy/v1", served, "of 1.21")

    def test_02_a_site_becomes_ready(self):
        self.declare_site()
        self.wait_ready()
        self.wait_served()

    def test_02b_its_log_is_read_by_whom_the_server_lets(self):
        wait_for("it leads", lambda: 'leader_election_master_status{name="ocim-controller"} 1' in self.stage.metrics(), 60)
        self.stage.start_follower("second")
        self.stage.apply(*self.account("reader", ["appservers/log"]), *self.account("other", ["appservers"]))
        appserver = self.instance_status()["activeAppServers"][0]
        code, out, errors = self.log_as("reader", appserver)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("PLAY RECAP", out)
        code, out, errors = self.log_as("other", appserver)
        self.assertEqual((code, out), (1, ""))
        self.assertIn('User "system:serviceaccount:campus:other" cannot get resource "appservers/log"', errors)
        code, out, errors = self.log_as("reader", "nobody")
        self.assertEqual((code, out), (1, ""))
        self.assertIn('"nobody" not found', errors)
        self.stage.stop("second")  # it makes no machines: local ones are of one controller's data

    def account(self, name, resources):
        return ({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "campus"}},
                {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name, "namespace": "campus"},
                 "rules": [{"apiGroups": ["ocim.opencraft.com"], "resources": resources, "verbs": ["get"]}]},
                {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": "campus"},
                 "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                 "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "campus"}]})

    def log_as(self, name, appserver):
        """(exit code, output, errors) of `ocim logs` of somebody who is known by his token."""
        document = yaml.safe_load(self.stage.kubeconfig.read_text())
        token = self.stage.kubectl("create", "token", name, "-n", "campus").stdout.strip()
        document["users"][0]["user"] = {"token": token}
        path = self.stage.path(f"{name}-kubeconfig")
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        run = subprocess.run([OCIM, "logs", f"appserver/{appserver}", "-n", "campus", "--kubeconfig", path],
                             capture_output=True, text=True, timeout=60)
        return run.returncode, run.stdout, run.stderr

    def test_03_drift_is_repaired(self):
        self.assertEqual(self.stage.sql("SELECT 1").stdout.strip(), "1")
        zone = f"/zones/{self.stage.facts['DOMAIN']}."
        self.stage.powerdns_api("PATCH", zone, {"rrsets": [{"name": "demo.example.test.", "type": "CNAME",
                                                            "changetype": "DELETE"}]})
        self.assertEqual(self.dig("demo.example.test", "CNAME"), [])
        wait_for("the record is back", lambda: self.dig("demo.example.test", "CNAME"), 60)

    def test_04_a_name_that_is_taken_is_refused(self):
        self.assertIn("spec.subdomain", self.refusal(self.instance("other", subdomain="demo")))

    def test_05_one_dies_and_another_goes_on(self):
        first = self.instance_status()["activeAppServers"]
        self.patch("instance", "demo", {"spec": {"displayName": "Another name"}})
        wait_for("a new server is being made", lambda: len(self.stage.get("appservers", "-n", "campus")["items"]) > 1, READY)
        self.stage.stop("ocim", signal.SIGKILL)
        self.stage.start_again("ocim")
        wait_for("the new server took over", lambda: self.instance_status()["activeAppServers"] not in ([], first), READY)
        wait_for("it is what people see", lambda: "Another name" in self.wait_served(), READY)

    def test_06_deleting_leaves_nothing(self):
        self.patch("instance", "demo", {"spec": {"deletionPolicy": "Delete"}})
        self.stage.kubectl("delete", "instance", "demo", "-n", "campus", "--timeout=300s", seconds=330)
        self.assertEqual(self.databases(), set())
        self.assertEqual(self.machines(), ([], []))
        for kind in ("appservers", "virtualmachines", "provisioningruns", "dnsrecords", "loadbalancerfragments", "monitors",
                     "databasetenants", "rabbitmqvhosts"):
            self.assertEqual(self.stage.get(kind, "-n", "campus")["items"], [], kind)

    def test_07_nothing_was_refused(self):
        for name in "ocim", "second":
            log = self.stage.path("log", f"{name}.log").read_text()
            self.assertIn("who leads", log)
            for word in "forbidden", "level=error", "watch ended":
                self.assertNotIn(word, log, name)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
