#!/usr/bin/python3
"""What goes when something is deleted, and what stays: owners, finalizers, namespaces, by the oldest and newest kubectl."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, KUBECTL_OLD, main  # noqa: E402
from support import wait_until  # noqa: E402

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name, owners=(), finalizers=(), **data):
    metadata = {"name": name, "ownerReferences": list(owners), "finalizers": list(finalizers)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class Operations:
    """What each version is asked to do."""

    def get(self, name):
        return json.loads(self.client("get", "--raw", f"{CONFIG_MAPS}/{name}"))

    def owner(self, name, uid=None, **more):
        uid = uid or self.get(name)["metadata"]["uid"]
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid} | more

    def create(self, manifest, *flags):
        self.client("create", *flags, "-f", "-", stdin=json.dumps(manifest))

    def gone(self, name, *flags):
        wait_until(lambda: not self.client("get", "cm", name, "--ignore-not-found", "-o", "name", *flags),
                   f"{name} is gone")

    def test_background(self):
        """delete --cascade=background: the owner at once, dependents after it, those with another owner not"""
        for name in "boss", "other":
            self.create(config_map(name))
        self.create(config_map("led", [self.owner("boss")]))
        self.create(config_map("shared", [self.owner("boss"), self.owner("other")]))
        self.client("delete", "cm", "boss", "--cascade=background")
        self.gone("led")
        wait_until(lambda: len(self.get("shared")["metadata"]["ownerReferences"]) == 1,
                   "the reference to the owner that is gone is dropped")

    def test_foreground(self):
        """delete --cascade=foreground: the owner waits for those that block it, and for those only"""
        self.create(config_map("above"))
        self.create(config_map("blocks", [self.owner("above", blockOwnerDeletion=True)], ["example.org/held"]))
        self.create(config_map("lets", [self.owner("above")], ["example.org/held"]))
        self.client("delete", "cm", "above", "--cascade=foreground", "--wait=false")
        self.assertIn("foregroundDeletion", self.get("above")["metadata"]["finalizers"])
        wait_until(lambda: "deletionTimestamp" in self.get("blocks")["metadata"], "dependents go first")
        self.assertTrue(self.get("above"))
        self.client("patch", "cm", "blocks", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        self.gone("blocks")
        self.gone("above")
        self.client("patch", "cm", "lets", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        self.gone("lets")

    def test_orphan(self):
        """delete --cascade=orphan: dependents stay, without the reference"""
        self.create(config_map("parent"))
        self.create(config_map("orphaned", [self.owner("parent")]))
        self.client("delete", "cm", "parent", "--cascade=orphan")
        self.gone("parent")
        wait_until(lambda: "ownerReferences" not in self.get("orphaned")["metadata"], "it has no owner")

    def test_wrong_owners(self):
        """owners that are not there: in another namespace, of another uid, of an unknown kind"""
        self.create(config_map("real"))
        self.create(config_map("mistaken", [self.owner("real", uid="11111111-2222-3333-4444-555555555555")]))
        self.gone("mistaken")
        self.client("create", "namespace", "far")
        self.create(config_map("abroad", [self.owner("real")]), "-n", "far")
        self.gone("abroad", "-n", "far")
        unknown = {"apiVersion": "nobody.example.org/v1", "kind": "Nobody", "name": "n", "uid": "u"}
        self.create(config_map("patient", [unknown]))
        self.create(config_map("last", [self.owner("real", uid="11111111-2222-3333-4444-555555555555")]))
        self.gone("last")
        self.assertTrue(self.get("patient"), "what is not known is not absent")
        self.client("delete", "namespace", "far")

    def test_preconditions(self):
        """delete: by uid, by version, in a collection; a second delete changes nothing"""
        self.create(config_map("guarded", finalizers=["example.org/held"]))
        metadata = self.get("guarded")["metadata"]

        def delete(target, **preconditions):
            return self.ocim.request("DELETE", target, json.dumps({"preconditions": preconditions}),
                                     {"Content-Type": "application/json"})[0]
        for wrong in {"uid": "11111111-2222-3333-4444-555555555555"}, {"resourceVersion": "1"}:
            self.assertEqual(delete(CONFIG_MAPS + "/guarded", **wrong), 409, wrong)
            self.assertEqual(delete(CONFIG_MAPS + "?fieldSelector=metadata.name%3Dguarded", **wrong), 409, wrong)
        right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        self.assertEqual(delete(CONFIG_MAPS + "/guarded", **right), 200)
        deleting = self.get("guarded")
        self.client("delete", "cm", "guarded", "--wait=false", "--grace-period=30")
        self.assertEqual(self.get("guarded"), deleting)
        self.assertIn("no new finalizers can be added", self.client_refused(
            "patch", "cm", "guarded", "--type=merge", "-p", '{"metadata":{"finalizers":["example.org/held","a.b/c"]}}'))
        self.client("patch", "cm", "guarded", "--type=json", "-p",
                    '[{"op":"test","path":"/metadata/finalizers/0","value":"example.org/held"},'
                    '{"op":"remove","path":"/metadata/finalizers/0"}]')
        self.gone("guarded")

    def test_namespace(self):
        """delete namespace: conditions say what it waits for, nothing new goes in, it ends empty"""
        self.client("create", "namespace", "closing")
        self.create(config_map("held", finalizers=["example.org/held"]), "-n", "closing")
        self.create(config_map("free"), "-n", "closing")
        self.client("delete", "namespace", "closing", "--wait=false")
        self.assertEqual(self.client("get", "ns", "closing", "-o", "jsonpath={.status.phase}"), "Terminating")
        self.gone("free", "-n", "closing")

        def conditions():
            status = json.loads(self.client("get", "ns", "closing", "-o", "json"))["status"]
            return {c["type"]: (c["status"], c["message"]) for c in status.get("conditions", [])}
        wait_until(lambda: "example.org/held in 1 resource instances" in
                   conditions().get("NamespaceFinalizersRemaining", ("", ""))[1], "the finalizer is named")
        now = conditions()
        self.assertEqual(now["NamespaceContentRemaining"],
                         ("True", "Some resources are remaining: configmaps. has 1 resource instances"))
        for kind in "DiscoveryFailure", "GroupVersionParsingFailure", "ContentFailure":
            self.assertEqual(now["NamespaceDeletion" + kind][0], "False")
        self.assertIn("because it is being terminated",
                      self.client_refused("create", "-n", "closing", "-f", "-", stdin=json.dumps(config_map("late"))))
        self.client("patch", "cm", "held", "-n", "closing", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        wait_until(lambda: not self.client("get", "ns", "closing", "--ignore-not-found", "-o", "name"), "it is gone")


class Old(Operations, ClientTest):
    CLIENT = "kubectl 1.20"
    PROGRAM = KUBECTL_OLD


class New(Operations, ClientTest):
    CLIENT = "kubectl 1.35"


if __name__ == "__main__":
    main()
