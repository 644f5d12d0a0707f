#!/usr/bin/python3
"""The life of a CustomResourceDefinition with the oldest and the newest kubectl: what it promises is kept."""
import copy
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, KUBECTL_OLD, main  # noqa: E402
from support import wait_until  # noqa: E402

SCHEMA = {"type": "object", "properties": {
    "spec": {
        "type": "object",
        "x-kubernetes-validations": [
            {"rule": "!has(self.low) || !has(self.high) || self.low <= self.high", "fieldPath": ".low",
             "reason": "FieldValueForbidden", "messageExpression": "'low is above ' + string(self.high)"}],
        "properties": {
            "color": {"type": "string", "maxLength": 10}, "count": {"type": "integer"},
            "low": {"type": "integer"}, "high": {"type": "integer"},
            "serial": {"type": "string", "x-kubernetes-validations": [
                {"rule": "self == oldSelf", "message": "the serial cannot be changed"}]},
            "since": {"type": "string", "format": "date-time"},
            "port": {"x-kubernetes-int-or-string": True},
            "maybe": {"type": "string", "nullable": True},
            "deep": {"type": "object", "default": {}, "properties": {"level": {"type": "integer", "default": 3}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "inner": {"type": "object", "x-kubernetes-embedded-resource": True,
                      "x-kubernetes-preserve-unknown-fields": True},
            "names": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "one": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}}},
    "status": {"type": "object", "properties": {"count": {"type": "integer"}, "selector": {"type": "string"}}}}}

MASTS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "masts.yard.example.org"},
    "spec": {"group": "yard.example.org", "scope": "Namespaced",
             "names": {"kind": "Mast", "plural": "masts", "shortNames": ["mst"], "categories": ["rig"]},
             "versions": [{
                 "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA},
                 "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.count",
                                                          "statusReplicasPath": ".status.count",
                                                          "labelSelectorPath": ".status.selector"}},
                 "selectableFields": [{"jsonPath": ".spec.color"}],
                 "additionalPrinterColumns": [
                     {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
                     {"name": "Since", "type": "date", "jsonPath": ".spec.since"},
                     {"name": "Count", "type": "integer", "jsonPath": ".spec.count", "priority": 1}]}]}}


def mast(name, version="v1", **spec):
    return {"apiVersion": f"yard.example.org/{version}", "kind": "Mast", "metadata": {"name": name}, "spec": spec}


class Operations:
    """What each version is asked to do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ocim.kubectl("apply", "-f", "-", stdin=json.dumps(MASTS))
        cls.ocim.kubectl("wait", "--for=condition=Established", "crd/masts.yard.example.org", "--timeout=30s")

    def send(self, verb, manifest):
        return self.client(verb, "-f", "-", stdin=json.dumps(manifest))

    def not_sent(self, manifest, verb="apply"):
        return self.client_refused(verb, "-f", "-", stdin=json.dumps(manifest))

    def spec(self, name):
        return json.loads(self.client("get", "mast", name, "-o", "json"))["spec"]

    def test_columns(self):
        """get: columns by priority, dates as ages; short name, category, selectable field"""
        self.send("apply", mast("seen", color="red", count=2, since="2020-01-01T00:00:00Z"))
        self.send("apply", mast("hidden", color="blue"))
        self.assertEqual(self.client("get", "mst").splitlines()[0].split(), ["NAME", "COLOR", "SINCE"])
        wide = self.client("get", "masts", "-o", "wide", "--field-selector=spec.color=red").splitlines()
        self.assertEqual(wide[0].split(), ["NAME", "COLOR", "SINCE", "COUNT"])
        self.assertEqual(len(wide), 2)
        self.assertRegex(wide[1], r"^seen +red +\d+[dy]\S* +2$")
        self.assertIn("mast.yard.example.org/seen", self.client("get", "rig", "-o", "name"))
        self.assertIn("field label not supported", self.client_refused("get", "masts", "--field-selector=spec.low=1"))

    def test_values(self):
        """defaults far down, nulls, free and embedded parts; every sort of mistake by its field"""
        made = mast("filled", port=80, maybe=None, deep={}, free={"any": {"thing": 1}},
                    inner={"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}, "more": 1})
        self.send("create", made)  # its apply leaves nulls out
        spec = self.spec("filled")
        self.assertEqual(spec["deep"], {"level": 3})
        self.assertEqual((spec["maybe"], spec["free"], spec["inner"]["more"]), (None, {"any": {"thing": 1}}, 1))
        self.send("apply", mast("texts", port="http"))
        for reason, wrong, expected in [
                ("neither number nor text", {"port": True}, "spec.port"),
                ("too long", {"color": "x" * 11}, "spec.color: Too long"),
                ("a date that is none", {"since": "soon"}, "must be of type date-time"),
                ("null where there is none", {"color": None, "count": "1"}, "spec.count"),
                ("twice in a set", {"names": ["a", "a"]}, 'spec.names[1]: Duplicate value: "a"'),
                ("both of two", {"one": {"a": "x", "b": "y"}}, "must validate one and only one schema (oneOf)"),
                ("no resource", {"inner": {"kind": "X"}}, "spec.inner.apiVersion: Required value"),
                ("a rule with its own words", {"low": 5, "high": 3}, "spec.low: Forbidden: low is above 3")]:
            with self.subTest(reason):
                self.assertIn(expected, self.not_sent(mast("wrong", **wrong), "create"))

    def test_transition(self):
        """a rule on changes holds on updates only"""
        self.send("apply", mast("marked", serial="1", color="red"))
        self.send("apply", mast("marked", serial="1", color="blue"))
        self.assertIn("the serial cannot be changed", self.not_sent(mast("marked", serial="2", color="blue")))

    def test_scale(self):
        """scale, with a selector in it"""
        self.send("apply", mast("scaled", count=1))
        self.client("scale", "mast", "scaled", "--replicas=4")
        path = "/apis/yard.example.org/v1/namespaces/default/masts/scaled"
        self.ocim.request("PATCH", path + "/status", '{"status":{"count":3,"selector":"a=b"}}',
                          {"Content-Type": "application/merge-patch+json"})
        scale = json.loads(self.client("get", "--raw", path + "/scale"))
        self.assertEqual((scale["kind"], scale["spec"], scale["status"]),
                         ("Scale", {"replicas": 4}, {"replicas": 3, "selector": "a=b"}))
        code, _, body = self.ocim.request("PATCH", path + "/scale?fieldManager=sizer&force=true",
                                          '{"apiVersion":"autoscaling/v1","kind":"Scale","spec":{"replicas":5}}',
                                          {"Content-Type": "application/apply-patch+yaml"})
        self.assertEqual((code, json.loads(body)["spec"]), (200, {"replicas": 5}))

    def test_refusals(self):
        """definitions that are refused, with the place"""
        root = "/spec/versions/0"
        for reason, path, value, expected in [
                ("unique items", root + "/schema/openAPIV3Schema/properties/spec/properties/names/uniqueItems", True,
                 "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
                ("no structure", root + "/schema/openAPIV3Schema/properties/spec/type", "",
                 ".openAPIV3Schema.properties[spec].type"),
                ("a type in a combination", root + "/schema/openAPIV3Schema/properties/spec/anyOf",
                 [{"type": "object"}], ".anyOf[0].type: Forbidden: must be empty to be structural"),
                ("fields and more", root + "/schema/openAPIV3Schema/properties/spec/additionalProperties",
                 {"type": "string"}, "additionalProperties and properties are mutual exclusive"),
                ("a default that does not fit", root + "/schema/openAPIV3Schema/properties/spec/properties/low/default",
                 "x", "low].default"),
                ("a rule that is not understood",
                 root + "/schema/openAPIV3Schema/properties/spec/properties/color/x-kubernetes-validations",
                 [{"rule": "quantity(self) == quantity('1')"}], "undeclared reference to 'quantity'"),
                ("a rule of another type",
                 root + "/schema/openAPIV3Schema/properties/spec/properties/color/x-kubernetes-validations",
                 [{"rule": "self + 'x'"}], "must evaluate to a bool"),
                ("a webhook", "/spec/conversion", {"strategy": "Webhook"}, "spec.conversion.strategy"),
                ("a field that does not exist", root + "/selectableFields", [{"jsonPath": ".spec.none"}],
                 "is an invalid path"),
                ("two storage versions", "/spec/versions/1", copy.deepcopy(MASTS["spec"]["versions"][0]) | {"name": "v2"},
                 "must have exactly one version marked as storage version")]:
            with self.subTest(reason):
                wrong = copy.deepcopy(MASTS)
                wrong["metadata"]["name"] = "wrongs.yard.example.org"
                wrong["spec"]["names"] = {"kind": "Wrong", "plural": "wrongs"}
                at, keys = wrong, path.strip("/").split("/")
                for key in keys[:-1]:
                    at = at[int(key)] if isinstance(at, list) else at[key]
                if isinstance(at, list):
                    at.append(value)
                else:
                    at[keys[-1]] = value
                self.assertIn(expected, self.not_sent(wrong, "create"))
        self.assertEqual(self.client("get", "crd", "wrongs.yard.example.org", "--ignore-not-found"), "")

    def other(self, plural, kind):
        out = copy.deepcopy(MASTS)
        out["metadata"]["name"] = f"{plural}.yard.example.org"
        out["spec"]["names"] = {"kind": kind, "plural": plural}
        return out

    def test_changes(self):
        """a schema that becomes stricter; a second version, migration, and the end of the first"""
        wanted = self.other("sails", "Sail")
        self.send("apply", wanted)
        self.client("wait", "--for=condition=Established", "crd/sails.yard.example.org", "--timeout=30s")
        sail = mast("s", color="turquoise", count=1) | {"kind": "Sail"}
        self.send("apply", sail)
        wanted["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["color"] = {
            "type": "string", "maxLength": 3}
        self.send("apply", wanted)
        self.send("apply", mast("s", color="turquoise", count=2) | {"kind": "Sail"})
        self.assertIn("spec.color", self.not_sent(mast("s", color="violet", count=2) | {"kind": "Sail"}))
        second = copy.deepcopy(wanted["spec"]["versions"][0]) | {"name": "v2"}
        wanted["spec"]["versions"][0]["storage"] = False
        wanted["spec"]["versions"].append(second)
        self.send("apply", wanted)
        shown = json.loads(self.client("get", "sails.v2.yard.example.org", "s", "-o", "json"))
        self.assertEqual((shown["apiVersion"], shown["spec"]["count"]), ("yard.example.org/v2", 2))
        stored = ["get", "crd", "sails.yard.example.org", "-o", "jsonpath={.status.storedVersions}"]
        self.assertEqual(json.loads(self.client(*stored)), ["v1", "v2"])
        wanted["spec"]["versions"].pop(0)
        self.assertIn("status.storedVersions[0]", self.not_sent(wanted))
        self.client("label", "sails", "--all", "migrated=yes")
        self.ocim.request("PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sails.yard.example.org/status",
                          '{"status":{"storedVersions":["v2"]}}', {"Content-Type": "application/merge-patch+json"})
        self.send("apply", wanted)
        self.assertEqual(json.loads(self.client("get", "sail", "s", "-o", "json"))["apiVersion"], "yard.example.org/v2")

    def test_names(self):
        """a name that another holds is not given until it is free"""
        self.send("create", self.other("booms", "Boom"))
        rival = self.other("rivals", "Boom")
        self.send("create", rival)
        conditions = json.loads(self.client("get", "crd", "rivals.yard.example.org", "-o", "json"))["status"]["conditions"]
        said = {c["type"]: (c["status"], c["reason"]) for c in conditions}
        self.assertEqual(said, {"NamesAccepted": ("False", "ListKindConflict"), "Established": ("False", "NotAccepted")})
        self.client("delete", "crd", "booms.yard.example.org")
        self.client("wait", "--for=condition=Established", "crd/rivals.yard.example.org", "--timeout=30s")

    def test_deletion(self):
        """delete: its objects first, held by their finalizers"""
        self.send("create", self.other("keels", "Keel"))
        self.client("wait", "--for=condition=Established", "crd/keels.yard.example.org", "--timeout=30s")
        held = mast("held") | {"kind": "Keel"}
        held["metadata"]["finalizers"] = ["example.org/held"]
        self.send("create", held)
        self.send("create", mast("free") | {"kind": "Keel"})
        self.client("delete", "crd", "keels.yard.example.org", "--wait=false")
        wait_until(lambda: self.client("get", "keels", "-o", "name") == "keel.yard.example.org/held\n", "the free one goes")
        conditions = json.loads(self.client("get", "crd", "keels.yard.example.org", "-o", "json"))["status"]["conditions"]
        self.assertIn(("Terminating", "True"), [(c["type"], c["status"]) for c in conditions])
        self.assertIn("create not allowed while custom resource definition is terminating",
                      self.not_sent(mast("late") | {"kind": "Keel"}, "create"))
        self.client("patch", "keel", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        wait_until(lambda: not self.client("get", "crd", "keels.yard.example.org", "--ignore-not-found"), "it is gone")
        self.assertNotIn("keels", self.client("get", "--raw", "/apis/yard.example.org/v1"))


class Old(Operations, ClientTest):
    CLIENT = "kubectl 1.20"
    PROGRAM = KUBECTL_OLD


class New(Operations, ClientTest):
    CLIENT = "kubectl 1.35"


if __name__ == "__main__":
    main()
