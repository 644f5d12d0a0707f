#!/usr/bin/python3
"""Every manifest that the chart renders is one of Kubernetes: no field that is not there, no type that is not so (the types of
kubernetes-models, by TypeScript), and values as their schemas want them. Those rendered for the oldest Kubernetes that the chart is
for are held to the types of the version before it; tests/e2e/operator/kubernetes_test.py asks such a server itself."""
import copy
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

from chart import ROOT, VALUES, find, render

MODELS = ROOT / ".deps" / "kubernetes-models" / "node_modules"
OLD_MODELS = ROOT / ".deps" / "kubernetes-models-1.19" / "node_modules"
OLDEST = "1.20.0"
COMPILER = ["tsc", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2020", "--moduleResolution", "node"]


def module_of(manifest):
    group, _, version = manifest["apiVersion"].rpartition("/")
    if group == "monitoring.coreos.com":
        return f"@kubernetes-models/prometheus-operator/{group}/{version}/{manifest['kind']}"
    return "/".join(filter(None, ("kubernetes-models", group, version, manifest["kind"])))


def type_of(manifest, models):
    """What its type is called in its module; old ones are called after the file where they are defined."""
    module = models / f"{module_of(manifest)}.d.ts"
    if not module.exists():
        return None
    defined = re.search(r"_definitions/(\w+)", module.read_text())
    return "I" + (defined[1] if models == OLD_MODELS and defined else manifest["kind"])


def type_faults(named, models=MODELS):
    """What TypeScript says of each manifest as a value of its type."""
    unknown = [f"{name}: no {m['apiVersion']} {m['kind']}" for name, m in named if not type_of(m, models)]
    if unknown:
        return "\n".join(unknown)
    with tempfile.TemporaryDirectory(prefix="ocim-types-") as folder:
        (pathlib.Path(folder) / "node_modules").symlink_to(models)
        lines = []
        for number, (name, manifest) in enumerate(named):
            lines += [f"import {{{type_of(manifest, models)} as T{number}}} from \"{module_of(manifest)}\";",
                      f"export const m{number}: T{number} = {json.dumps(manifest)}; // {name}"]
        (pathlib.Path(folder) / "manifests.ts").write_text("\n".join(lines))
        done = subprocess.run([*COMPILER, "manifests.ts"], cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        return done.stdout


def schema_faults(named):
    rows = [[name, module_of(manifest), manifest["kind"], manifest] for name, manifest in named]
    done = subprocess.run(["node", ROOT / "tests/chart/schemas.mjs", MODELS], input=json.dumps(rows), capture_output=True,
                          text=True, timeout=100, check=False)
    return done.stdout + done.stderr


def everything(*flags):
    for values in VALUES:
        for manifest in render("--values", values, *flags):
            if manifest["kind"] != "CustomResourceDefinition":  # ours are tried on our own server
                yield values.name, manifest


def plain():
    for path in sorted((ROOT / "manifests" / "install").glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            yield path.name, manifest


def for_the_oldest():
    """Without those of the Prometheus operator, which brings its own."""
    found = [*everything("--kube-version", OLDEST, "--set", "crds.install=false"), *((n, m) for n, m in plain() if n != "operator.yaml")]
    return [(name, m) for name, m in found if not m["apiVersion"].startswith("monitoring.")]


class Schemas(unittest.TestCase):
    maxDiff = None

    def test_every_manifest_is_well_formed(self):
        named = [*everything(), *((name, m) for name, m in plain() if not name.endswith("-1.20.yaml"))]
        self.assertGreater({m["kind"] for _, m in named}, {"StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget",
                                                           "ServiceMonitor", "PrometheusRule", "Ingress", "Namespace"})
        self.assertEqual(type_faults(named), "")
        self.assertEqual(schema_faults(named), "")

    def test_those_for_the_oldest_kubernetes_are_of_it(self):
        named = for_the_oldest()
        self.assertGreater({m["kind"] for _, m in named}, {"StatefulSet", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Ingress"})
        self.assertIn("operator-1.20.yaml", {name for name, _ in named})
        self.assertEqual(type_faults(named, OLD_MODELS), "")

    def test_what_is_newer_than_the_oldest_is_found(self):
        newer = find(render("--values", ROOT / "tests/chart/values/operator.yaml", "--kube-version", "1.21.0"), "PodDisruptionBudget")
        self.assertIn("no policy/v1 PodDisruptionBudget", type_faults([("newer", newer)], OLD_MODELS))
        found = copy.deepcopy(find(render(), "StatefulSet"))
        found["spec"]["minReadySeconds"] = 5  # of 1.22
        self.assertEqual(type_faults([("newer", found)]), "")
        self.assertIn("minReadySeconds", type_faults([("newer", found)], OLD_MODELS))

    def test_faults_are_found(self):
        manifests = render("--values", VALUES[1])

        def broken(kind, change):
            manifest = copy.deepcopy(find(manifests, kind))
            change(manifest["spec"])
            return [("broken", manifest)]
        misspelt = broken("StatefulSet", lambda s: s["template"]["spec"]["containers"][0].update(readynessProbe={}))
        self.assertIn("readynessProbe", type_faults(misspelt))
        self.assertIn("IIntOrString", type_faults(broken("PodDisruptionBudget", lambda s: s.update(minAvailable=[1]))))
        self.assertIn("interval", schema_faults(broken("ServiceMonitor", lambda s: s["endpoints"][0].update(interval="often"))))
        self.assertIn("expr", schema_faults(broken("PrometheusRule", lambda s: s["groups"][0]["rules"][0].pop("expr"))))


if __name__ == "__main__":
    unittest.main()
