#!/usr/bin/python3
"""What must be refused, with a message that names field and reason, and nothing changed."""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import OcimTest  # noqa: E402

WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.shop.example.org"},
    "spec": {"group": "shop.example.org", "scope": "Namespaced",
             "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
             "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                 "type": "object", "required": ["spec"],
                 "properties": {"spec": {
                     "type": "object", "required": ["color"],
                     "x-kubernetes-validations": [
                         {"rule": "!has(self.size) || self.size <= 8 || self.color == 'red'",
                          "message": "only red widgets may be larger than 8"}],
                     "properties": {
                         "color": {"type": "string", "enum": ["red", "green"]},
                         "size": {"type": "integer", "minimum": 1, "maximum": 20},
                         "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                         "home": {"type": "string",
                                  "x-kubernetes-validations": [{"rule": "self == oldSelf",
                                                                "message": "home cannot be changed"}]},
                         "ports": {"type": "array", "items": {"type": "object", "required": ["port"], "properties": {
                             "port": {"type": "integer"}}}}}}}}}}]}}


def widget(name="w", **spec):
    return json.dumps({"apiVersion": "shop.example.org/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})


class Refusals(OcimTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ocim.kubectl("apply", "-f", "-", stdin=json.dumps(WIDGETS))
        cls.ocim.kubectl("wait", "--for=condition=Established", "crd/widgets.shop.example.org", "--timeout=60s")

    def test_fields_that_do_not_fit_the_schema(self):
        for reason, spec, expected in [
                ("not allowed", {"color": "blue"}, 'spec.color: Unsupported value: "blue": supported values: "red", "green"'),
                ("missing", {}, "spec.color: Required value"),
                ("wrong type", {"color": "red", "size": "big"},
                 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
                ("too large", {"color": "red", "size": 21},
                 "spec.size: Invalid value: 21: spec.size in body should be less than or equal to 20"),
                ("pattern", {"color": "red", "code": "A1"},
                 "spec.code: Invalid value: \"A1\": spec.code in body should match '^[a-z]+$'"),
                ("too long", {"color": "red", "code": "abcdef"}, "spec.code: Too long: may not be more than 5 bytes"),
                ("inside a list", {"color": "red", "ports": [{"port": 1}, {}]}, "spec.ports[1].port: Required value"),
                ("a rule over two fields", {"color": "green", "size": 9},
                 "spec: Invalid value: only red widgets may be larger than 8")]:
            refusal = self.refused("create", "-f", "-", stdin=widget("bad", **spec))
            self.assertIn('The Widget "bad" is invalid: ', refusal, reason)
            self.assertIn(expected, refusal, reason)
        self.assertEqual(self.kubectl("get", "widgets", "-o", "name"), "", "nothing was stored")

    def test_unknown_and_duplicate_fields(self):
        refusal = self.refused("create", "-f", "-", stdin=widget("strict", color="red", bogus=1, ports=[{"port": 1, "zz": 2}]))
        self.assertIn('unknown field "spec.bogus"', refusal)
        self.assertIn('unknown field "spec.ports[0].zz"', refusal)
        twice = '{"apiVersion":"shop.example.org/v1","kind":"Widget","metadata":{"name":"t"},"spec":{"color":"red","color":"green"}}'
        status, _, body = self.ocim.request("POST", "/apis/shop.example.org/v1/namespaces/default/widgets?fieldValidation=Strict",
                                            twice, {"Content-Type": "application/json"})
        self.assertEqual(status, 400)
        self.assertIn('duplicate field "spec.color"', json.loads(body)["message"])
        # without Strict they are dropped, and said so
        done = self.ocim.kubectl("create", "--validate=warn", "-f", "-", stdin=widget("warned", color="red", bogus=1))
        self.assertIn('Warning: unknown field "spec.bogus"', done.stderr)
        self.assertEqual(self.kubectl("get", "widget", "warned", "-o", "jsonpath={.spec}"), '{"color":"red"}')
        self.kubectl("delete", "widget", "warned")

    def test_immutable_field(self):
        self.kubectl("create", "-f", "-", stdin=widget("fixed", color="red", home="here"))
        refusal = self.refused("patch", "widget", "fixed", "--type=merge", "-p", '{"spec":{"home":"there"}}')
        self.assertIn("spec.home: Invalid value", refusal)
        self.assertIn("home cannot be changed", refusal)
        self.kubectl("patch", "widget", "fixed", "--type=merge", "-p", '{"spec":{"color":"green"}}')
        self.kubectl("delete", "widget", "fixed")

    def test_our_own_kinds_are_checked_too(self):
        manifest = {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": "bad"},
                    "spec": {"zoneRef": {"name": "z"}, "name": "x", "type": "PTR", "values": ["1"]}}
        refusal = self.refused("apply", "-f", "-", stdin=json.dumps(manifest))
        self.assertIn('spec.type: Unsupported value: "PTR": supported values: "A", "AAAA", "CNAME", "TXT", "MX", '
                      '"SRV", "CAA", "NS"', refusal)

    def test_names(self):
        for name in "Upper", "under_score", "-dash", "x" * 254, "a b", "new\nline":
            refusal = self.refused("create", "-f", "-", stdin=widget(name, color="red"))
            self.assertIn("metadata.name: Invalid value", refusal, name)

    def test_stale_versions_conflict(self):
        self.kubectl("create", "-f", "-", stdin=widget("old", color="red"))
        stored = json.loads(self.kubectl("get", "widget", "old", "-o", "json"))
        self.kubectl("label", "widget", "old", "a=b")
        refusal = self.refused("replace", "-f", "-", stdin=json.dumps(stored))
        self.assertIn("the object has been modified; please apply your changes to the latest version", refusal)
        self.kubectl("delete", "widget", "old")

    # --- bodies that are no objects

    def send(self, body, content_type="application/json", path="/apis/shop.example.org/v1/namespaces/default/widgets",
             method="POST"):
        status, _, reply = self.ocim.request(method, path, body, {"Content-Type": content_type})
        return status, json.loads(reply)

    def test_malformed_bodies(self):
        for reason, body, kind in [
                ("cut off", '{"apiVersion":', "application/json"), ("not JSON", "hello", "application/json"),
                ("empty", "", "application/json"), ("a list", "[]", "application/json"),
                ("bad UTF-8", b'{"kind":"\xff"}', "application/json"),
                ("infinite", '{"kind":1e999}', "application/json"),
                ("bad YAML", "a: [1, 2", "application/yaml"), ("tabs", "a:\n\t- b", "application/yaml"),
                ("no kind", '{"apiVersion":"shop.example.org/v1","metadata":{"name":"x"}}', "application/json"),
                ("another version", '{"apiVersion":"shop.example.org/v2","kind":"Widget"}', "application/json")]:
            status, reply = self.send(body, kind)
            self.assertEqual((status, reply["reason"]), (400, "BadRequest"), f"{reason}: {reply}")
            self.assertTrue(reply["message"], reason)
        self.assertIn("error", self.refused("apply", "-f", "-", stdin="kind: [").lower())

    def test_unknown_media_types(self):
        status, reply = self.send("<a/>", "text/xml")
        self.assertEqual((status, reply["reason"]), (415, "UnsupportedMediaType"))
        self.assertIn("accepted media types include: application/json", reply["message"])
        status, _, body = self.ocim.request("GET", "/api/v1/namespaces", headers={"Accept": "text/html"})
        self.assertEqual((status, json.loads(body)["reason"]), (406, "NotAcceptable"))

    def test_a_body_of_10_mib(self):
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"},
                           "data": {"a": "x" * (10 * 1024 * 1024)}})
        status, reply = self.send(body, path="/api/v1/namespaces/default/configmaps")
        self.assertEqual((status, reply["reason"]), (413, "RequestEntityTooLarge"))
        self.assertIn("limit is 3145728", reply["message"])
        self.assertIn("limit is 3145728", self.refused("create", "-f", "-", stdin=body))

    def test_an_object_that_is_too_large_to_store(self):
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"},
                           "data": {"a": "x" * (2 * 1024 * 1024)}})
        self.assertIn("Too long: may not be more than 1048576 bytes", self.refused("create", "-f", "-", stdin=body))

    def test_nesting_of_10000(self):
        deep = '{"apiVersion":"shop.example.org/v1","kind":"Widget","metadata":{"name":"deep"},"spec":' + \
            '{"a":' * 10000 + "1" + "}" * 10001
        for body, kind in (deep, "application/json"), (deep, "application/yaml"), ("- " * 10000 + "x", "application/yaml"):
            status, reply = self.send(body, kind)
            self.assertEqual((status, reply["reason"]), (400, "BadRequest"), kind)
            self.assertRegex(reply["message"], "deep|nest", kind)
        self.assertEqual(self.send("[" * 10000, "application/yaml")[0], 400)

    def test_an_alias_bomb(self):
        bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        for previous, name in zip("abcdefgh", "bcdefghi"):
            bomb += f"{name}: &{name} [{', '.join(['*' + previous] * 10)}]\n"
        for text in bomb, "a: &a [*a]\n":
            status, reply = self.send(text, "application/yaml")
            self.assertEqual((status, reply["reason"]), (400, "BadRequest"))
        status, reply = self.send(bomb, "application/apply-patch+yaml",
                                  "/apis/shop.example.org/v1/namespaces/default/widgets/bomb?fieldManager=x", "PATCH")
        self.assertEqual((status, reply["reason"]), (400, "BadRequest"))
        self.assertEqual(self.ocim.request("GET", "/readyz")[0], 200, "the server is well")

    def test_strangers(self):
        pki = self.ocim.data / "pki"
        base = self.ocim.home / "alice"
        for command in (
                f"openssl req -newkey rsa:2048 -nodes -keyout {base}.key -subj /O=visitors/CN=alice -out {base}.csr",
                f"openssl x509 -req -in {base}.csr -CA {pki}/ca.crt -CAkey {pki}/ca.key -CAcreateserial -days 1 "
                f"-CAserial {base}.srl -out {base}.crt"):
            subprocess.run(command.split(), check=True, capture_output=True)
        status, _, body = self.ocim.request("GET", "/apis/shop.example.org/v1/namespaces/lab/widgets", certificate=base)
        self.assertEqual((status, json.loads(body)["message"]),
                         (403, 'widgets.shop.example.org is forbidden: User "alice" cannot list resource "widgets" in '
                               'API group "shop.example.org" in the namespace "lab"'))
        self.assertEqual(self.ocim.request("GET", "/apis", certificate=base)[0], 200, "discovery is for everybody")


if __name__ == "__main__":
    unittest.main()
