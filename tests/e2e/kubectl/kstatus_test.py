#!/usr/bin/python3
"""Every kind says how it stands so that kstatus understands it: its rules, computed over what a server with controllers says of all that
manifests/samples/ has, and of objects in every state. Argo CD's script of docs/argocd-and-flux.md, run by HAProxy's Lua, agrees."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parent)]
from samples_test import documents, manifests  # noqa: E402
from support import ROOT, Ocim, wait_until  # noqa: E402

GROUP = "ocim.opencraft.com/v1alpha1"
PAGE = (ROOT / "docs" / "argocd-and-flux.md").read_text()
ARGO = {"Current": "Healthy", "InProgress": "Progressing", "Failed": "Degraded", "Terminating": "Progressing"}


def conditions(thing):
    return {c["type"]: c["status"] for c in thing.get("status", {}).get("conditions", [])}


def kstatus(thing):
    """The generic rules of kstatus, in their order (sigs.k8s.io/cli-utils, pkg/kstatus)."""
    if thing["metadata"].get("deletionTimestamp"):
        return "Terminating"
    observed = thing.get("status", {}).get("observedGeneration")
    if observed is not None and observed != thing["metadata"]["generation"]:
        return "InProgress"
    for kind, status in conditions(thing).items():
        if status == "True" and kind in ("Reconciling", "Stalled"):
            return {"Reconciling": "InProgress", "Stalled": "Failed"}[kind]
    return "Current" if conditions(thing).get("Ready", "True") == "True" else "InProgress"


def argo_script():
    """That of the page."""
    block = next(found for found in re.findall(r"(?s)```yaml\n(.*?)```", PAGE) if "argocd-cm" in found)
    custom = yaml.safe_load(yaml.safe_load(block)["data"]["resource.customizations"])
    return custom["ocim.opencraft.com/*"]["health.lua"]


def lua(value):
    """As a Lua constant."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{lua(k)}] = {lua(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua, value)) + "}"
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03}" for byte in value.encode()) + '"'
    return "nil" if value is None else str(value).lower()


def argo_health(things):
    """What Argo CD's script says of each: status and message."""
    with tempfile.TemporaryDirectory(prefix="ocim-lua-") as folder:
        out, config = pathlib.Path(folder, "out"), pathlib.Path(folder, "haproxy.cfg")
        # one function an object: a chunk has room for so many constants only
        text = [f"local function health(obj)\n{argo_script()}\nend\nlocal out = io.open({lua(str(out))}, 'w')"]
        for thing in things:
            seen = {"metadata": {k: thing["metadata"].get(k) for k in ("generation", "deletionTimestamp")}, "status": thing.get("status")}
            text.append(f"do local said = health({lua(seen)}); out:write(said.status, '\\t', (said.message:gsub('%s', ' ')), '\\n') end")
        text.append("out:close()")
        pathlib.Path(folder, "check.lua").write_text("\n".join(text))
        config.write_text(f"global\n    lua-load {folder}/check.lua\ndefaults\n    mode http\n    timeout client 1s\n"
                          "    timeout server 1s\n    timeout connect 1s\nlisten nobody\n    bind 127.0.0.1:1\n")
        done = subprocess.run(["haproxy", "-c", "-f", config], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [tuple(line.split("\t")) for line in out.read_text().splitlines()]


def monitor(name, **spec):
    return {"apiVersion": GROUP, "kind": "Monitor", "metadata": {"name": name, "namespace": "states"},
            "spec": {"serviceRef": {"name": "states"}, "url": "http://127.0.0.1:1/"} | spec}


class Kstatus(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.ocim = Ocim(controllers=True)
        cls.addClassCleanup(cls.ocim.close)
        cls.ocim.start()
        # without Secrets nobody is called by any credential
        items = [item for file in manifests() for item in documents(file) if item["apiVersion"] == GROUP or item["kind"] == "Namespace"]
        spaces = {item["metadata"].get("namespace", "default") for item in items} - {"default", "ocim-system"}
        made = {item["metadata"]["name"] for item in items if item["kind"] == "Namespace"}
        cls.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted({*spaces, "states"} - made)))
        cls.apply(*(item for item in items if item["kind"] == "Namespace"))
        for item in items:
            if item["apiVersion"] == GROUP:
                cls.ocim.kubectl("apply", "-f", "-", stdin=json.dumps(item), check=False)  # two samples may claim one name
        cls.apply({"apiVersion": GROUP, "kind": "MonitoringService", "metadata": {"name": "states"}, "spec": {"prober": {}}},
                  monitor("ready"), monitor("waits", serviceRef={"name": "nobody"}), monitor("paused"),
                  {"apiVersion": GROUP, "kind": "PullRequestWatch", "metadata": {"name": "stalls", "namespace": "states"},
                   "spec": {"forks": ["acme/site"], "organization": "acme", "team": "t", "credentialsRef": {"name": "none"},
                            "instanceTemplate": {"className": "none"}}})

    @classmethod
    def apply(cls, *items):
        if items:
            cls.ocim.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))

    def all(self):
        return json.loads(self.ocim.kubectl("get", "ocim", "-A", "-o", "json").stdout)["items"]

    def get(self, name):
        return json.loads(self.ocim.kubectl("get", "monitor", name, "-n", "states", "-o", "json").stdout)

    def until(self, name, state):
        return wait_until(lambda: (lambda thing: thing if conditions(thing) and kstatus(thing) == state else None)(self.get(name)),
                          f"{name} is {state}")

    def test_every_kind_says_one_thing(self):
        found = wait_until(lambda: (lambda things: things if all(conditions(t) for t in things) else None)(self.all()),
                           "every object says how it stands", 120)
        served = {yaml.safe_load(file.read_text())["spec"]["names"]["kind"] for file in (ROOT / "crd-schemas").glob("*.yaml")}
        self.assertLessEqual(served - {thing["kind"] for thing in found}, {"PullRequestFeed", "DatabaseScript", "AppServer", "ProvisioningRun"})
        states = set()
        for thing in found:
            said, name = conditions(thing), f"{thing['kind']} {thing['metadata']['name']}"
            true = {kind for kind in ("Ready", "Reconciling", "Stalled") if said.get(kind) == "True"}
            if "Paused" not in said:
                self.assertEqual(len(true), 1, f"{name}: {said}")
            self.assertEqual(kstatus(thing) == "Current", true == {"Ready"}, f"{name}: {said}")
            self.assertEqual(kstatus(thing) == "Failed", "Stalled" in true, f"{name}: {said}")
            states.add(kstatus(thing))
        self.assertGreaterEqual(states, {"Current", "InProgress", "Failed"})

    def test_argo_cd_says_the_same_of_every_kind(self):
        found = [thing for thing in self.all() if conditions(thing)]
        self.assertGreater(len(found), 20)
        for thing, (status, message) in zip(found, argo_health(found), strict=True):
            wanted = "Suspended" if conditions(thing).get("Paused") == "True" else ARGO[kstatus(thing)]
            self.assertEqual(status, wanted, f"{thing['kind']} {thing['metadata']['name']}: {message}")

    def test_the_states_of_the_page(self):
        self.assertEqual(kstatus(self.until("ready", "Current")), "Current")
        self.until("waits", "InProgress")
        # paused: what it was
        self.until("paused", "Current")
        self.ocim.kubectl("annotate", "monitor", "paused", "-n", "states", "ocim.opencraft.com/paused=true")
        thing = wait_until(lambda: (lambda t: t if conditions(t).get("Paused") == "True" else None)(self.get("paused")), "it is paused")
        self.assertEqual((kstatus(thing), argo_health([thing])[0][0]), ("Current", "Suspended"))
        # changed, and not come to: no controller runs
        thing = self.get("ready")
        thing["metadata"]["generation"] += 1
        self.assertEqual((kstatus(thing), argo_health([thing])[0][0]), ("InProgress", "Progressing"))
        # made a moment ago
        del thing["status"]
        self.assertEqual((kstatus(thing), argo_health([thing])[0]), ("Current", ("Progressing", "Ocim has not come to it yet")))
        # being deleted: held by a finalizer of somebody
        self.ocim.kubectl("patch", "monitor", "waits", "-n", "states", "--type=merge", "-p", '{"metadata":{"finalizers":["example.org/hold"]}}')
        self.ocim.kubectl("delete", "monitor", "waits", "-n", "states", "--wait=false")
        thing = self.get("waits")
        self.assertEqual((kstatus(thing), argo_health([thing])[0]), ("Terminating", ("Progressing", "it is being deleted")))
        self.ocim.kubectl("patch", "monitor", "waits", "-n", "states", "--type=merge", "-p", '{"metadata":{"finalizers":[]}}')


if __name__ == "__main__":
    unittest.main()
