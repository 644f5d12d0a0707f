#!/usr/bin/python3
"""What people apply to the oldest Kubernetes that Ocim is for, by a kubectl of its age: the definitions, manifests/install/ and what the
chart renders for it, all taken as they are by a real kube-apiserver 1.20. The first run builds that, which takes minutes."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/chart"), str(ROOT / "tests/e2e/operator")]
from chart import VALUES, render  # noqa: E402
from kubernetes_test import BUILD_SECONDS, PROGRAMS, KubernetesStage  # noqa: E402

KUBECTL = ROOT / ".deps/kubectl-1.20/kubectl"
DEPRECATED = "Warning: policy/v1beta1 PodDisruptionBudget is deprecated in v1.22+, unavailable in v1.25+\n"
INSTALL = ROOT / "manifests/install"


class Install(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        subprocess.run([ROOT / "script/kube-apiserver", PROGRAMS], check=True, timeout=BUILD_SECONDS)
        directory = tempfile.TemporaryDirectory(prefix="ocim-install-")
        cls.addClassCleanup(directory.cleanup)
        cls.stage = KubernetesStage(directory.name)
        cls.addClassCleanup(lambda: [cls.stage.stop(name) for name in reversed([*cls.stage.processes])])
        cls.stage.start_serve("api", "metrics", definitions=False)

    def kubectl(self, *words, given=None):
        return subprocess.run([KUBECTL, "--kubeconfig", self.stage.kubeconfig, "--cache-dir", self.stage.path("cache-1.20"), *words],
                              input=given, capture_output=True, text=True, timeout=120, check=False)

    def accepted(self, *words, given=None):
        done = self.kubectl(*words, given=given)
        self.assertEqual((done.returncode, done.stderr.replace(DEPRECATED, "")), (0, ""), words)
        return done.stdout

    def test_1_the_definitions(self):
        words = [*(f"-f={path}" for path in sorted((ROOT / "crd-schemas").glob("*.yaml")))]
        self.assertIn('unknown field "x-kubernetes-validations"', self.kubectl("apply", *words).stderr, "so the docs say how")
        said = self.accepted("apply", "--validate=false", *words)
        self.assertEqual({line.rsplit(" ", 1)[1] for line in said.splitlines()}, {"created"})
        self.accepted("wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=60s")

    def test_2_the_plain_manifests(self):
        """In the order that the docs say."""
        for name in "operator-1.20.yaml", "gitops.yaml", "ocim.yaml":
            self.accepted("apply", f"--filename={INSTALL / name}")
        budget = json.loads(self.accepted("get", "poddisruptionbudget", "ocim", "-n", "ocim-system", "-o", "json"))
        self.assertEqual(budget["apiVersion"], "policy/v1beta1")
        refused = self.kubectl("apply", f"--filename={INSTALL / 'operator.yaml'}").stderr
        self.assertIn('no matches for kind "PodDisruptionBudget" in version "policy/v1"', refused)

    def test_3_what_the_chart_renders_for_it(self):
        for values in VALUES:
            manifests = [m for m in render("--values", values, "--kube-version", "1.20.0", "--set", "crds.install=false")
                         if not m["apiVersion"].startswith("monitoring.")]
            for manifest in manifests:
                with self.subTest(values=values.name, kind=manifest["kind"], name=manifest["metadata"]["name"]):
                    self.accepted("create", "--dry-run=server", "-f", "-", given=yaml.safe_dump(self.renamed(manifest)))

    @staticmethod
    def renamed(manifest):
        """Beside what the test before has left."""
        return manifest | {"metadata": manifest["metadata"] | {"name": "another-" + manifest["metadata"]["name"]}}


if __name__ == "__main__":
    unittest.main()
