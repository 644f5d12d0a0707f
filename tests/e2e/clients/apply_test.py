#!/usr/bin/python3
"""Who owns what: server-side apply with the oldest and the newest kubectl."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, KUBECTL_OLD, main  # noqa: E402

HULLS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "hulls.yard.example.org"},
    "spec": {"group": "yard.example.org", "scope": "Namespaced", "names": {"kind": "Hull", "plural": "hulls"},
             "versions": [{
                 "name": "v1", "served": True, "storage": True,
                 "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.count",
                                                          "statusReplicasPath": ".status.count"}},
                 "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                     "spec": {"type": "object", "properties": {
                         "color": {"type": "string"}, "count": {"type": "integer"},
                         "size": {"type": "integer", "default": 1},
                         "names": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                         "order": {"type": "array", "items": {"type": "string"}},
                         "ports": {"type": "array", "x-kubernetes-list-type": "map",
                                   "x-kubernetes-list-map-keys": ["port", "protocol"],
                                   "items": {"type": "object", "required": ["port"], "properties": {
                                       "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"},
                                       "note": {"type": "string"}}}},
                         "words": {"type": "object", "additionalProperties": {"type": "string"}},
                         "whole": {"type": "object", "x-kubernetes-map-type": "atomic",
                                   "additionalProperties": {"type": "string"}}}},
                     "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}}]}}


def hull(name, **spec):
    return {"apiVersion": "yard.example.org/v1", "kind": "Hull", "metadata": {"name": name}, "spec": spec}


class Operations:
    """What each version is asked to do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ocim.kubectl("apply", "-f", "-", stdin=json.dumps(HULLS))
        cls.ocim.kubectl("wait", "--for=condition=Established", "crd/hulls.yard.example.org", "--timeout=30s")

    def apply(self, manifest, manager, *flags):
        return self.client("apply", "--server-side", f"--field-manager={manager}", *flags, "-f", "-",
                           stdin=json.dumps(manifest))

    def conflict(self, manifest, manager):
        return self.client_refused("apply", "--server-side", f"--field-manager={manager}", "-f", "-",
                                   stdin=json.dumps(manifest))

    def get(self, name):
        return json.loads(self.client("get", "--raw", "/apis/yard.example.org/v1/namespaces/default/hulls/" + name))

    def spec(self, name):
        return self.get(name)["spec"]

    def owners(self, name):
        """(manager, operation, sub-resource) of each entry."""
        return sorted((e["manager"], e["operation"], e.get("subresource", ""))
                      for e in self.get(name)["metadata"]["managedFields"])

    def test_lists(self):
        """server-side apply: items of sets, keyed lists and maps have owners, other lists are one value"""
        self.apply(hull("lists", names=["a"], order=["1"], ports=[{"port": 80, "note": "one"}], words={"k": "v"}), "one")
        self.apply(hull("lists", names=["b"], ports=[{"port": 80, "protocol": "UDP"}], words={"l": "w"}), "two")
        spec = self.spec("lists")
        self.assertEqual((spec["names"], spec["words"]), (["a", "b"], {"k": "v", "l": "w"}))
        self.assertEqual([(p["port"], p["protocol"]) for p in spec["ports"]], [(80, "TCP"), (80, "UDP")])
        self.assertIn('conflict with "one": .spec.order', self.conflict(hull("lists", order=["2"]), "two"))
        self.apply(hull("lists", order=["1"]), "one")
        spec = self.spec("lists")
        self.assertEqual((spec["names"], spec["words"]), (["b"], {"l": "w"}), "one has let go of its own items only")
        self.assertEqual([p["protocol"] for p in spec["ports"]], ["UDP"])

    def test_conflicts(self):
        """server-side apply: a conflict names manager and field, changes nothing; --force-conflicts takes over"""
        self.apply(hull("contested", color="red", whole={"a": "b"}), "one")
        before = self.get("contested")
        said = self.conflict(hull("contested", color="blue", whole={"c": "d"}), "two")
        self.assertIn('Apply failed with 2 conflicts: conflicts with "one":\n- .spec.color\n- .spec.whole', said)
        self.assertEqual(self.get("contested"), before)
        self.apply(hull("contested", color="blue"), "two", "--force-conflicts")
        self.assertEqual(self.spec("contested")["color"], "blue")
        self.assertIn('conflict with "two": .spec.color', self.conflict(hull("contested", color="red"), "one"))
        self.apply(hull("contested", whole={"a": "b"}), "one")
        self.assertEqual(self.spec("contested")["color"], "blue", "who lost it lets go without harm")

    def test_transfer(self):
        """server-side apply: two that agree share; who leaves out lets go; the last one takes it along"""
        for manager in "one", "two":
            self.apply(hull("shared", color="red", count=2), manager)
        self.apply(hull("shared", count=2), "one")
        self.assertEqual(self.spec("shared")["color"], "red", "two still owns it")
        self.apply(hull("shared", count=2), "two")
        self.assertEqual(self.spec("shared"), {"count": 2, "size": 1})
        self.apply(hull("shared", count=2, size=5), "one")
        self.apply(hull("shared", count=2), "one")
        self.assertEqual(self.spec("shared")["size"], 1, "a default comes back")

    def test_managers(self):
        """managedFields: applies and updates apart, sub-resources apart, dry runs none, nothing for nothing"""
        self.apply(hull("managed", color="red", count=1), "one")
        self.client("patch", "hull", "managed", "--type=merge", "-p", '{"spec":{"size":7}}', "--field-manager=ed")
        self.client("scale", "hull", "managed", "--replicas=3")
        code, _, body = self.ocim.request("PATCH", "/apis/yard.example.org/v1/namespaces/default/hulls/managed/status"
                                          "?fieldManager=watcher", json.dumps({"status": {"count": 3}}),
                                          {"Content-Type": "application/merge-patch+json"})
        self.assertEqual(code, 200, body)
        self.client("label", "hull", "managed", "a=b", "--dry-run=server")
        owners = self.owners("managed")
        for wanted in ("one", "Apply", ""), ("ed", "Update", ""), ("watcher", "Update", "status"):
            self.assertIn(wanted, owners)
        self.assertIn("scale", [subresource for _, _, subresource in owners])
        self.assertEqual(len(owners), 4)
        entries = self.get("managed")["metadata"]["managedFields"]
        self.assertEqual({e["apiVersion"] for e in entries}, {"yard.example.org/v1"})
        self.assertEqual([e["fieldsV1"] for e in entries if e["manager"] == "ed"], [{"f:spec": {"f:size": {}}}])
        self.assertIn('with subresource "scale" using yard.example.org/v1: .spec.count',
                      self.conflict(hull("managed", color="red", count=1), "one"))
        before = self.get("managed")
        self.apply(hull("managed", color="red"), "one")
        self.apply(hull("managed", color="red"), "one")
        after = self.get("managed")
        self.assertEqual(after["metadata"]["generation"], before["metadata"]["generation"])

    def test_diff(self):
        """diff --server-side: nothing, a change, a conflict; nothing is stored"""
        def diff(manifest, *flags):
            return self.ocim.run(str(self.PROGRAM), "diff", "--server-side", "--field-manager=one", *flags, "-f", "-",
                                 stdin=json.dumps(manifest), check=False)
        self.apply(hull("compared", color="red"), "one")
        self.assertEqual(diff(hull("compared", color="red")).returncode, 0)
        done = diff(hull("compared", color="blue"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^\+ +color: blue$")
        self.client("patch", "hull", "compared", "--type=merge", "-p", '{"spec":{"color":"green"}}')
        self.assertIn("conflict", diff(hull("compared", color="blue")).stderr)
        self.assertEqual(diff(hull("compared", color="blue"), "--force-conflicts").returncode, 1)
        self.assertEqual(self.spec("compared")["color"], "green")

    def test_migration(self):
        """from client-side apply to server-side apply and back, without a conflict"""
        def by_client(**spec):
            return self.client("apply", "-f", "-", stdin=json.dumps(hull("migrated", **spec)))
        by_client(color="red", count=1)
        said = self.client("apply", "--server-side", "-f", "-", stdin=json.dumps(hull("migrated", color="blue", count=1)))
        self.assertEqual(said, "hull.yard.example.org/migrated serverside-applied\n")
        last = self.get("migrated")["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
        self.assertEqual(json.loads(last)["spec"], {"color": "blue", "count": 1}, "kept up to date")
        by_client(color="green")
        self.assertEqual(self.spec("migrated"), {"color": "green", "size": 1}, "the client knows what it leaves out")


class Old(Operations, ClientTest):
    CLIENT = "kubectl 1.20"
    PROGRAM = KUBECTL_OLD


class New(Operations, ClientTest):
    CLIENT = "kubectl 1.35"


if __name__ == "__main__":
    main()
