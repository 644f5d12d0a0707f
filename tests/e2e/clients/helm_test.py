#!/usr/bin/python3
"""Helm 3 and Helm 4 with a small chart, which has built-in kinds and one of ours."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, HELM_3, HELM_4, main  # noqa: E402

CHART = str(pathlib.Path(__file__).resolve().parent / "chart")


class Operations:
    NAMESPACE = "shop"

    def helm(self, *words, **options):
        return self.client(*words, "-n", self.NAMESPACE, **options)

    def value(self, name, path):
        return self.kubectl("get", name, "-n", self.NAMESPACE, "-o", "jsonpath={" + path + "}")

    def releases(self):
        return {r["name"]: (r["revision"], r["status"]) for r in json.loads(self.helm("list", "-o", "json", *self.ALL))}

    def install(self, name, *words):
        self.helm("install", name, CHART, "--create-namespace", *words)

    def test_install(self):
        """install --create-namespace, list, status, get manifest"""
        self.install("installed")
        self.assertEqual(self.releases()["installed"], ("1", "deployed"))
        self.assertIn("deployed", self.helm("status", "installed"))
        self.assertIn("kind: DNSRecord", self.helm("get", "manifest", "installed"))
        self.assertEqual(self.value("dns/installed", ".spec.values[0]"), "192.0.2.1")
        self.assertEqual(self.value("configmap/installed", ".data.greeting"), "hello")
        self.assertEqual(self.value("secret/installed", ".data.key"), "aGVsbG8=")
        self.assertEqual(self.value("rolebinding/installed", ".subjects[0].name"), "installed")

    def test_install_with_mistakes(self):
        """install of what the server refuses, and what is left of it"""
        done = self.ocim.run(str(self.PROGRAM), "install", "refused", CHART, "--set", "ttl=-1", "-n",
                             self.NAMESPACE, "--create-namespace", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("spec.ttlSeconds", done.stderr)
        self.assertEqual(self.releases()["refused"], ("1", "failed"))
        self.helm("upgrade", "--install", "--reset-values", "refused", CHART)
        self.assertEqual(self.value("dns/refused", ".spec.values[0]"), "192.0.2.1")

    def test_upgrade_and_rollback(self):
        """upgrade, history, rollback; what a revision no longer has goes"""
        self.install("changed")
        self.helm("upgrade", "changed", CHART, "--set", "address=192.0.2.2,greeting=bye,extra=true")
        self.assertEqual(self.value("dns/changed", ".spec.values[0]"), "192.0.2.2")
        self.assertEqual(self.value("configmap/changed", ".data.greeting"), "bye")
        self.value("configmap/changed-extra", ".metadata.name")
        self.helm("rollback", "changed", "1")
        self.assertEqual(self.value("dns/changed", ".spec.values[0]"), "192.0.2.1")
        self.assertEqual(self.value("configmap/changed", ".data.greeting"), "hello")
        self.assertIn("NotFound", self.refused("get", "configmap/changed-extra", "-n", self.NAMESPACE))
        history = json.loads(self.helm("history", "changed", "-o", "json"))
        self.assertEqual([entry["status"] for entry in history], ["superseded", "superseded", "deployed"])

    def test_upgrade_puts_drift_right(self):
        """upgrade puts right what somebody changed meanwhile"""
        self.install("drifted")
        self.kubectl("patch", self.DRIFTS, "-n", self.NAMESPACE, "--type=merge", "-p", self.DRIFT)
        before = self.value(self.DRIFTS, ".metadata.resourceVersion")
        self.helm("upgrade", "drifted", CHART, *self.FORCE)
        self.assertNotEqual(self.value(self.DRIFTS, ".metadata.resourceVersion"), before)
        self.assertEqual(self.value("dns/drifted", ".spec.values[0]"), "192.0.2.1")
        self.assertEqual(self.value("configmap/drifted", ".data.greeting"), "hello")

    def test_dry_run_and_template(self):
        """install --dry-run, template --validate, lint"""
        self.helm("install", "dry", CHART, *self.DRY_RUN, "--create-namespace")
        self.assertNotIn("dry", self.releases())
        self.assertIn("DNSRecord", self.helm("template", "dry", CHART, "--validate"))
        self.helm("lint", CHART)

    def test_uninstall(self):
        """uninstall --wait; the name is free again"""
        self.install("gone")
        self.helm("uninstall", "gone", "--wait")
        self.assertNotIn("gone", self.releases())
        for name in "configmap/gone", "secret/gone", "dns/gone", "role/gone":
            self.assertEqual(self.kubectl("get", name, "-n", self.NAMESPACE, "--ignore-not-found"), "", name)
        self.install("gone")
        self.helm("uninstall", "gone", "--keep-history")
        self.assertEqual(self.releases()["gone"][1], "uninstalled")


class Helm3(Operations, ClientTest):
    CLIENT = "Helm 3.8"
    PROGRAM = HELM_3
    ALL = ["-a"]
    DRY_RUN = ["--dry-run"]
    # of kinds of ours Helm 3 compares what two charts say, never what there is
    DRIFTS, DRIFT = "configmap/drifted", '{"data":{"greeting":"drifted"}}'
    FORCE = []


class Helm4(Operations, ClientTest):
    CLIENT = "Helm 4.1"
    PROGRAM = HELM_4
    ALL = []
    DRY_RUN = ["--dry-run=server"]
    DRIFTS, DRIFT = "dns/drifted", '{"spec":{"values":["192.0.2.99"]}}'
    FORCE = ["--force-conflicts"]


if __name__ == "__main__":
    main()
