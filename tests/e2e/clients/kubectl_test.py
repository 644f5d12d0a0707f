#!/usr/bin/python3
"""The oldest and the newest kubectl that is promised to work, each doing the same."""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, KUBECTL_OLD, main  # noqa: E402
from support import read_line, wait_until  # noqa: E402

FLEETS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "fleets.shop.example.org"},
    "spec": {"group": "shop.example.org", "scope": "Namespaced",
             "names": {"kind": "Fleet", "plural": "fleets", "shortNames": ["flt"]},
             "versions": [{
                 "name": "v1", "served": True, "storage": True,
                 "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size",
                                                          "statusReplicasPath": ".status.size"}},
                 "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                     "spec": {"type": "object", "description": "What the fleet is.", "properties": {
                         "size": {"type": "integer", "description": "How many ships it has."},
                         "home": {"type": "string"}}},
                     "status": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]}}


def record(name, **spec):
    wanted = {"zoneRef": {"name": "example"}, "name": f"{name}.example.org", "type": "A", "values": ["192.0.2.1"]}
    return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": name},
            "spec": wanted | spec}


def config_map(name, labels=None, **data):
    metadata = {"name": name} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def list_of(*items):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


class Operations:
    """What each version is asked to do."""

    def send(self, verb, manifest, *flags, **options):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.client(verb, *flags, "-f", "-", stdin=text, **options)

    def value(self, name, path):
        return self.client("get", name, "-o", "jsonpath={" + path + "}")

    def watched(self, *words):
        return subprocess.Popen([str(self.PROGRAM), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env=self.ocim.environment)

    # --- discovery

    def test_version(self):
        """version"""
        self.assertIn("v1.35.0+ocim", self.client("version"))

    def test_discovery(self):
        """api-resources, api-versions"""
        lines = {line.split()[0]: line.split()[1:] for line in self.client("api-resources").splitlines()}
        self.assertEqual(lines["dnsrecords"], ["dns", "ocim.opencraft.com/v1alpha1", "true", "DNSRecord"])
        self.assertEqual(lines["namespaces"], ["ns", "v1", "false", "Namespace"])
        self.assertIn("ocim.opencraft.com/v1alpha1", self.client("api-versions").split())

    def test_explain(self):
        """explain, explain --recursive, of built-in kinds and of ours"""
        self.assertIn("The whole record set", self.client("explain", "dnsrecord.spec.values"))
        self.assertIn("<map[string]string>", self.client("explain", "configmap.metadata.labels"))
        fields = self.client("explain", "dnsrecord", "--recursive")
        for field in "zoneRef", "ttlSeconds", "ownerReferences", "blockOwnerDeletion", "observedGeneration":
            self.assertRegex(fields, rf"\s{field}\t")
        self.assertIn("finalizers", self.client("explain", "namespace", "--recursive"))

    def test_definition(self):
        """a CRD installed while running is discovered, explained, used and removed"""
        self.send("apply", FLEETS)
        self.client("wait", "--for=condition=Established", "crd/fleets.shop.example.org", "--timeout=60s")
        self.assertIn("fleets.shop.example.org", self.client("api-resources", "-o", "name").split())
        self.assertIn("How many ships it has.", self.client("explain", "fleet.spec.size"))
        fleet = {"apiVersion": "shop.example.org/v1", "kind": "Fleet", "metadata": {"name": "f"}, "spec": {"size": 1}}
        self.send("apply", fleet)
        self.assertIn("unknown field", self.client_refused("apply", "-f", "-",
                                                           stdin=json.dumps(fleet | {"spec": {"seize": 2}})))
        self.assertEqual(self.client("get", "flt", "-o", "name"), "fleet.shop.example.org/f\n")
        for wanted in "3", "5":
            self.client("scale", "fleet", "f", "--replicas=" + wanted)
            self.assertEqual(self.value("fleet/f", ".spec.size"), wanted)
        self.client("scale", "fleet", "f", "--replicas=2", "--current-replicas=5")
        self.assertIn("Expected replicas to be 5, was 2",
                      self.client_refused("scale", "fleet", "f", "--replicas=9", "--current-replicas=5"))
        self.client("delete", "crd", "fleets.shop.example.org")
        self.assertNotIn("fleets.shop.example.org", self.client("api-resources", "-o", "name").split())

    # --- writing

    def test_create(self):
        """create namespace, configmap, secret, serviceaccount, quota, roles and bindings"""
        self.client("create", "namespace", "made")
        for words in (["configmap", "c", "--from-literal=a=b"], ["secret", "generic", "s", "--from-literal=a=b"],
                      ["serviceaccount", "sa"], ["role", "r", "--verb=get", "--resource=configmaps"],
                      ["rolebinding", "rb", "--role=r", "--serviceaccount=made:sa"],
                      ["quota", "q", "--hard=count/leases.coordination.k8s.io=1"],
                      ["clusterrole", "made", "--verb=get", "--resource=configmaps"],
                      ["clusterrolebinding", "made", "--clusterrole=made", "--group=made"]):
            self.client("create", *words, "-n", "made")
        self.assertEqual(self.client("get", "secret", "s", "-n", "made", "-o", "jsonpath={.data.a}"), "Yg==")
        self.assertEqual(self.client("get", "rolebinding", "rb", "-n", "made", "-o", "jsonpath={.subjects[0].name}"), "sa")
        self.assertIn("already exists", self.client_refused("create", "configmap", "c", "-n", "made"))
        self.client("delete", "clusterrole/made", "clusterrolebinding/made")
        self.client("delete", "namespace", "made")
        self.assertIn("not found", self.client_refused("get", "namespace", "made"))

    def test_create_in_dry_run(self):
        """create and apply with --dry-run=server and --dry-run=client"""
        for how in "client", "server":
            for verb in "create", "apply":
                self.assertIn("dry run", self.send(verb, record("dry"), f"--dry-run={how}"))
        self.assertEqual(self.client("get", "dns", "dry", "--ignore-not-found"), "")
        self.send("apply", record("dry-2"))
        self.client("delete", "dns", "dry-2", "--dry-run=server")
        self.client("label", "dns", "dry-2", "a=b", "--dry-run=server")
        self.assertEqual(self.value("dns/dry-2", ".metadata.labels"), "")

    def test_apply(self):
        """apply: created, unchanged, configured; built-in kinds by strategic merge"""
        for reason, before, after in [("ours", record("applied"), record("applied", values=["192.0.2.9"])),
                                      ("built in", config_map("applied", a="1"), config_map("applied", b="2"))]:
            with self.subTest(reason):
                for manifest, said in (before, "created"), (before, "unchanged"), (after, "configured"):
                    self.assertTrue(self.send("apply", manifest).endswith(f"/applied {said}\n"))
        self.assertEqual(json.loads(self.value("configmap/applied", ".data")), {"b": "2"})

    def test_server_side_apply(self):
        """apply --server-side: conflict, --force-conflicts"""
        self.send("apply", record("ssa"), "--server-side", "--field-manager=one")
        other = record("ssa", values=["192.0.2.5"])
        refusal = self.client_refused("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=json.dumps(other))
        self.assertIn('conflict with "one"', refusal)
        self.send("apply", other, "--server-side", "--field-manager=two", "--force-conflicts")
        self.assertEqual(self.value("dns/ssa", ".spec.values[0]"), "192.0.2.5")

    def test_list(self):
        """apply, create and delete of kind: List"""
        both = list_of(config_map("listed", a="1"), record("listed"))
        names = ["configmap/listed", "dnsrecord.ocim.opencraft.com/listed"]
        for verb, said in ("apply", "created"), ("apply", "unchanged"):
            self.assertEqual(self.send("apply", both).splitlines(), [f"{name} {said}" for name in names])
        self.send("delete", both)
        self.assertEqual(self.send("create", both).splitlines(), [f"{name} created" for name in names])
        self.send("delete", both)
        self.assertEqual(self.client("get", "configmap/listed", "dnsrecord/listed", "--ignore-not-found"), "")

    def test_list_with_mistakes(self):
        """a mistake in a List is refused before anything is sent"""
        for reason, wrong, expected in [
                ("unknown field of a kind of ours", record("typo", valves=["192.0.2.1"]),
                 'ValidationError(DNSRecord.spec): unknown field "valves" in com.opencraft.ocim.v1alpha1.DNSRecord.spec'),
                ("wrong type", record("typo", ttlSeconds="60"),
                 'ValidationError(DNSRecord.spec.ttlSeconds): invalid type for com.opencraft.ocim.v1alpha1.DNSRecord.'
                 'spec.ttlSeconds: got "string", expected "integer"'),
                ("unknown field of metadata", record("typo") | {"metadata": {"name": "typo", "lables": {}}},
                 'ValidationError(DNSRecord.metadata): unknown field "lables"'),
                ("unknown field of a built-in kind", config_map("typo") | {"dta": {}},
                 'ValidationError(ConfigMap): unknown field "dta" in io.k8s.api.core.v1.ConfigMap')]:
            with self.subTest(reason):
                both = list_of(config_map("beside", a="1"), wrong)
                self.assertIn(expected, self.client_refused("apply", "-f", "-", stdin=both))
                self.assertEqual(self.client("get", "configmap/beside", "--ignore-not-found"), "")

    def test_mistakes(self):
        """unknown fields, wrong types and bad values are refused by name"""
        for reason, wrong, expected in [("unknown", record("bad", valves=[]), "valves"),
                                        ("wrong type", record("bad", ttlSeconds="60"), "ttlSeconds"),
                                        ("not allowed", record("bad", type="AXFR"), "spec.type")]:
            with self.subTest(reason):
                self.assertIn(expected, self.client_refused("apply", "-f", "-", stdin=json.dumps(wrong)))
        self.assertEqual(self.client("get", "dns", "bad", "--ignore-not-found"), "")

    def test_patch(self):
        """patch: merge, json, strategic"""
        self.send("apply", record("patched"))
        self.client("patch", "dns", "patched", "--type=merge", "-p", '{"spec":{"ttlSeconds":60}}')
        self.client("patch", "dns", "patched", "--type=json", "-p",
                    '[{"op":"test","path":"/spec/ttlSeconds","value":60},'
                    '{"op":"replace","path":"/spec/values/0","value":"192.0.2.7"}]')
        self.assertEqual(self.value("dns/patched", ".spec.ttlSeconds"), "60")
        self.assertEqual(self.value("dns/patched", ".spec.values[0]"), "192.0.2.7")
        self.assertIn("test", self.client_refused("patch", "dns", "patched", "--type=json", "-p",
                                                  '[{"op":"test","path":"/spec/ttlSeconds","value":61}]').lower())
        self.send("apply", config_map("patched", a="1"))
        self.client("patch", "cm", "patched", "-p", '{"data":{"b":"2"}}')
        self.assertEqual(json.loads(self.value("configmap/patched", ".data")), {"a": "1", "b": "2"})
        self.assertIn("415", self.client_refused("patch", "dns", "patched", "-p", "{}", "-v", "8"))

    def test_replace_and_edit(self):
        """replace, edit"""
        self.send("create", config_map("edited", a="1"))
        self.send("replace", config_map("edited", a="2"))
        self.client("edit", "configmap", "edited", env={"KUBE_EDITOR": "sed -i 's/a: \"2\"/a: \"3\"/'"})
        self.assertEqual(self.value("configmap/edited", ".data.a"), "3")
        self.send("apply", record("edited"))
        self.client("edit", "dns", "edited", env={"KUBE_EDITOR": "sed -i 's/ttlSeconds: 300/ttlSeconds: 77/'"})
        self.assertEqual(self.value("dns/edited", ".spec.ttlSeconds"), "77")

    def test_label_and_annotate(self):
        """label, annotate, and get -l"""
        for name in "labelled", "unlabelled":
            self.send("apply", record(name))
        self.client("label", "dns", "labelled", "team=blue")
        self.client("annotate", "dns", "labelled", "note=some text")
        for selector in "team=blue", "team in (blue,red)", "team,team!=red":
            self.assertEqual(self.client("get", "dns", "-l", selector, "-o", "name"),
                             "dnsrecord.ocim.opencraft.com/labelled\n", selector)
        self.client("label", "dns", "labelled", "team-")
        self.assertEqual(self.client("get", "dns", "-l", "team", "-o", "name"), "")

    def test_diff(self):
        """diff, and diff --server-side"""
        self.send("apply", record("differs"))
        changed = json.dumps(record("differs", ttlSeconds=61))
        for flags in [], ["--server-side", "--force-conflicts"]:
            done = self.ocim.run(str(self.PROGRAM), "diff", *flags, "-f", "-", stdin=changed, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stdout, r"(?m)^\+ +ttlSeconds: 61$")

    def test_delete(self):
        """delete: by name, by selector, --all; --cascade=orphan"""
        self.client("create", "namespace", "emptied")
        for number in range(3):
            self.send("create", config_map(f"c{number}", {"n": str(number)}), "-n", "emptied")
        self.client("delete", "cm", "c0", "-n", "emptied")
        self.client("delete", "cm", "-l", "n=1", "-n", "emptied")
        self.assertEqual(self.client("get", "cm", "-n", "emptied", "-o", "name"), "configmap/c2\n")
        self.client("delete", "cm", "--all", "-n", "emptied")
        self.assertEqual(self.client("get", "cm", "-n", "emptied", "-o", "name"), "")
        self.send("create", config_map("owner"), "-n", "emptied")
        uid = self.client("get", "cm", "owner", "-n", "emptied", "-o", "jsonpath={.metadata.uid}")
        owned = config_map("owned")
        owned["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]
        self.send("create", owned, "-n", "emptied")
        self.client("delete", "cm", "owner", "-n", "emptied", "--cascade=orphan")
        wait_until(lambda: self.client("get", "cm", "-n", "emptied", "-o", "jsonpath={.items[*].metadata.ownerReferences}")
                   == "", "the reference is gone and the object is not")
        self.assertEqual(self.client("get", "cm", "-n", "emptied", "-o", "name"), "configmap/owned\n")
        self.client("delete", "namespace", "emptied")

    def test_prune(self):
        """apply --prune -l"""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            for name in "p1", "p2":
                (path / f"{name}.json").write_text(json.dumps(config_map(name, {"pruned": "yes"})))
            words = ["apply", "--prune", "-l", "pruned=yes", f"--prune-{self.PRUNE}=core/v1/ConfigMap", "-f", folder]
            self.client(*words)
            (path / "p2.json").unlink()
            self.assertIn("configmap/p2 pruned", self.client(*words))
        self.assertEqual(self.client("get", "cm", "-l", "pruned", "-o", "name"), "configmap/p1\n")

    # --- reading

    def test_get(self):
        """get as table, wide, yaml, json, jsonpath, custom-columns, name; --field-selector; --all-namespaces"""
        self.send("apply", record("got"))
        self.assertEqual(self.client("get", "dns").splitlines()[0].split(),
                         ["NAME", "RECORD", "TYPE", "READY", "REASON", "AGE"])
        self.assertIn("got.example.org", self.client("get", "dns", "got", "-o", "wide"))
        self.assertIn("name: got.example.org", self.client("get", "dns", "got", "-o", "yaml"))
        self.assertEqual(json.loads(self.client("get", "dns", "got", "-o", "json"))["kind"], "DNSRecord")
        self.assertEqual(self.value("dns/got", ".spec.type"), "A")
        self.assertIn("got.example.org", self.client("get", "dns", "-o", "custom-columns=N:.spec.name"))
        self.assertEqual(self.client("get", "dns", "--field-selector", "metadata.name=got", "-o", "name"),
                         "dnsrecord.ocim.opencraft.com/got\n")
        self.assertIn("default", self.client("get", "dns", "-A"))
        self.assertIn("kube-system", self.client("get", "ns", "--sort-by=.metadata.name"))
        self.assertEqual(json.loads(self.client("get", "--raw", "/api/v1"))["kind"], "APIResourceList")
        self.assertIn("NotFound", self.client_refused("get", "dns", "nothing"))

    def test_chunks(self):
        """get --chunk-size: pages of one snapshot"""
        for number in range(7):
            self.send("create", config_map(f"chunk-{number}", {"chunk": "yes"}))
        names = self.client("get", "cm", "--chunk-size=3", "-l", "chunk", "-o", "name").split()
        self.assertEqual(names, [f"configmap/chunk-{number}" for number in range(7)])

    def test_describe(self):
        """describe, with events; get events"""
        self.send("apply", record("described"))
        uid = self.value("dns/described", ".metadata.uid")
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "described.1", "namespace": "default"},
                 "involvedObject": {"kind": "DNSRecord", "name": "described", "namespace": "default", "uid": uid,
                                    "apiVersion": "ocim.opencraft.com/v1alpha1"},
                 "reason": "Looked", "message": "somebody looked", "type": "Normal", "count": 1,
                 "source": {"component": "test"}, "firstTimestamp": "2026-01-01T00:00:00Z",
                 "lastTimestamp": "2026-01-01T00:00:00Z"}
        self.send("create", event)
        text = self.client("describe", "dns", "described")
        self.assertIn("described.example.org", text)
        self.assertRegex(text, r"Normal +Looked .*somebody looked")
        self.assertIn("somebody looked", self.client("get", "events"))
        self.client("describe", "namespace", "default")

    def test_watch(self):
        """get -w: the table, changes, deletion; --watch-only"""
        self.send("apply", record("watched"))
        table = self.watched("get", "dns", "watched", "-w")
        output = ["-o", 'jsonpath={.metadata.name} {.spec.ttlSeconds}{"\\n"}']
        lines = self.watched("get", "dns", "-w", "--field-selector=metadata.name=watched", *output)
        try:
            self.assertEqual(read_line(table.stdout, 60, "the header").split()[:2], ["NAME", "RECORD"])
            self.assertEqual(read_line(table.stdout, 60, "the row").split()[0], "watched")
            self.assertEqual(read_line(lines.stdout, 60, "the object"), "watched 300\n")
            self.send("apply", record("watched", ttlSeconds=61))
            self.assertEqual(read_line(lines.stdout, 60, "the change"), "watched 61\n")
            self.assertEqual(read_line(table.stdout, 60, "the change").split()[0], "watched")
            self.client("delete", "dns", "watched")
            self.assertEqual(read_line(lines.stdout, 60, "the deletion"), "watched 61\n")
        finally:
            for process in table, lines:
                process.kill()
                process.communicate()

    def test_wait(self):
        """wait --for=condition, wait --for=delete"""
        self.send("apply", record("awaited"))
        waiting = self.watched("wait", "--for=condition=Ready", "dns/awaited", "--timeout=30s")
        status = {"conditions": [{"type": "Ready", "status": "True", "reason": "Served", "message": "",
                                  "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
        path = "/apis/ocim.opencraft.com/v1alpha1/namespaces/default/dnsrecords/awaited/status"
        code, _, body = self.ocim.request("PATCH", path, json.dumps({"status": status}),
                                          {"Content-Type": "application/merge-patch+json"})
        self.assertEqual(code, 200, body)
        out, _ = waiting.communicate(timeout=60)
        self.assertEqual((waiting.returncode, out.decode()),
                         (0, "dnsrecord.ocim.opencraft.com/awaited condition met\n"))
        self.assertIn("timed out", self.client_refused("wait", "--for=condition=Stalled", "dns/awaited", "--timeout=1s"))
        self.client("patch", "dns", "awaited", "--type=merge", "-p", '{"metadata":{"finalizers":["example.org/test"]}}')
        self.client("delete", "dns", "awaited", "--wait=false")
        waiting = self.watched("wait", "--for=delete", "dns/awaited", "--timeout=30s", "-v=6")
        while "watch=true" not in read_line(waiting.stdout, 60, "the watch of kubectl wait"):
            pass
        self.client("patch", "dns", "awaited", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        out, _ = waiting.communicate(timeout=60)
        self.assertEqual(waiting.returncode, 0, out)

    def test_auth(self):
        """auth can-i, auth can-i --list, auth reconcile, --as"""
        self.assertEqual(self.client("auth", "can-i", "create", "dnsrecords"), "yes\n")
        self.assertIn("[*]", self.client("auth", "can-i", "--list"))
        self.assertIn('User "jane" cannot list', self.client_refused("get", "dns", "--as=jane"))
        self.assertIn("no", self.ocim.run(str(self.PROGRAM), "auth", "can-i", "get", "dns", "--as=jane", check=False).stdout)
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": "reconciled", "namespace": "default"},
                "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}
        for verb in "get", "list":
            role["rules"][0]["verbs"] = [verb]
            self.assertIn("reconciled", self.client("auth", "reconcile", "-f", "-", stdin=json.dumps(role)))
        verbs = [rule["verbs"] for rule in json.loads(self.value("role/reconciled", ".rules"))]
        self.assertEqual(sorted(sum(verbs, [])), ["get", "list"], "it only adds")


class Old(Operations, ClientTest):
    CLIENT = "kubectl 1.20"
    PROGRAM = KUBECTL_OLD
    PRUNE = "whitelist"


class New(Operations, ClientTest):
    CLIENT = "kubectl 1.35"
    PRUNE = "allowlist"

    def test_subresource(self):
        """get and patch with --subresource=status, --subresource=scale"""
        self.send("apply", record("parts"))
        self.client("patch", "dns", "parts", "--subresource=status", "--type=merge", "-p",
                    '{"status":{"observedGeneration":1},"spec":{"ttlSeconds":99}}')
        self.assertEqual(self.client("get", "dns", "parts", "--subresource=status", "-o",
                                     "jsonpath={.status.observedGeneration} {.spec.ttlSeconds}"), "1 300")

    def test_applyset(self):
        """apply --prune --applyset"""
        env = {"KUBECTL_APPLYSET": "true"}
        words = ["apply", "--prune", "--applyset=set", "-n", "default", "-f", "-"]
        self.client(*words, stdin=list_of(config_map("set-1"), config_map("set-2")), env=env)
        said = self.client(*words, stdin=list_of(config_map("set-1")), env=env)
        self.assertIn("configmap/set-2 pruned", said)

    def test_whoami(self):
        """auth whoami; events"""
        self.assertIn("system:masters", self.client("auth", "whoami"))
        self.client("events", "-A")

    def test_token(self):
        """create token, and a request with it"""
        self.client("create", "serviceaccount", "robot")
        token = self.client("create", "token", "robot", "--duration=10m").strip()
        view = ["view", "--raw", "--minify", "-o"]
        server = self.client("config", *view, "jsonpath={.clusters[0].cluster.server}")
        authority = str(self.ocim.data / "pki" / "ca.crt")
        words = ["auth", "whoami", "--token", token, "--server", server, "--certificate-authority", authority]
        said = self.client(*words, env={"KUBECONFIG": "/dev/null"})
        self.assertIn("system:serviceaccount:default:robot", said)

    def test_warnings(self):
        """--validate=warn prints the server's warnings"""
        wrong = json.dumps(record("warned", valves=[]))
        done = self.ocim.run(str(self.PROGRAM), "apply", "--validate=warn", "-f", "-", stdin=wrong)
        self.assertIn('Warning: unknown field "spec.valves"', done.stderr)

    def test_wait_on_fields(self):
        """wait --for=jsonpath, wait --for=create"""
        waiting = self.watched("wait", "--for=create", "dns/later", "--timeout=30s")
        self.send("apply", record("later"))
        out, _ = waiting.communicate(timeout=60)
        self.assertEqual(waiting.returncode, 0, out)
        self.client("wait", "--for=jsonpath={.spec.ttlSeconds}=300", "dns/later", "--timeout=60s")


if __name__ == "__main__":
    main()
