#!/usr/bin/python3
"""Every manifest that the chart renders is one of Kubernetes: no field that is not there, no type that is not so (the types of
kubernetes-models, by TypeScript), and values as their schemas want them."""
import copy
import json
import pathlib
import subprocess
import tempfile
import unittest

import yaml

from chart import ROOT, VALUES, find, render

MODELS = ROOT / ".deps" / "kubernetes-models" / "node_modules"
COMPILER = ["tsc", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2020", "--moduleResolution", "node"]


def module_of(manifest):
    group, _, version = manifest["apiVersion"].rpartition("/")
    if group == "monitoring.coreos.com":
        return f"@kubernetes-models/prometheus-operator/{group}/{version}/{manifest['kind']}"
    return "/".join(filter(None, ("kubernetes-models", group, version, manifest["kind"])))


def type_faults(named):
    """What TypeScript says of each manifest as a value of its type."""
    with tempfile.TemporaryDirectory(prefix="ocim-types-") as folder:
        (pathlib.Path(folder) / "node_modules").symlink_to(MODELS)
        lines = []
        for number, (name, manifest) in enumerate(named):
            kind = manifest["kind"]
            lines += [f"import {{I{kind} as T{number}}} from \"{module_of(manifest)}\";",
                      f"export const m{number}: T{number} = {json.dumps(manifest)}; // {name}"]
        (pathlib.Path(folder) / "manifests.ts").write_text("\n".join(lines))
        done = subprocess.run([*COMPILER, "manifests.ts"], cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        return done.stdout


def schema_faults(named):
    rows = [[name, module_of(manifest), manifest["kind"], manifest] for name, manifest in named]
    done = subprocess.run(["node", ROOT / "tests/chart/schemas.mjs", MODELS], input=json.dumps(rows), capture_output=True,
                          text=True, timeout=100, check=False)
    return done.stdout + done.stderr


def everything():
    for values in VALUES:
        for manifest in render("--values", values):
            if manifest["kind"] != "CustomResourceDefinition":  # ours are tried on our own server
                yield values.name, manifest
    for path in sorted((ROOT / "manifests" / "install").glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            yield path.name, manifest


class Schemas(unittest.TestCase):
    maxDiff = None

    def test_every_manifest_is_well_formed(self):
        named = list(everything())
        self.assertGreater({m["kind"] for _, m in named}, {"StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget",
                                                           "ServiceMonitor", "PrometheusRule", "Ingress", "Namespace"})
        self.assertEqual(type_faults(named), "")
        self.assertEqual(schema_faults(named), "")

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
