#!/usr/bin/python3
"""What a client can find out about the server."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import OcimTest  # noqa: E402

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Discovery(OcimTest):
    def get(self, path, **headers):
        status, reply, body = self.ocim.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return status, reply, body

    def test_api_resources(self):
        names = self.kubectl("api-resources", "--categories=ocim", "-o", "name").split()
        self.assertIn("dnsrecords.ocim.opencraft.com", names)
        self.assertIn("instances.ocim.opencraft.com", names)
        table = self.kubectl("api-resources")
        self.assertRegex(table, r"(?m)^dnsrecords +dns +ocim.opencraft.com/v1alpha1 +true +DNSRecord$")
        self.assertRegex(table, r"(?m)^namespaces +ns +v1 +false +Namespace$")
        self.assertIn("ocim.opencraft.com/v1alpha1\n", self.kubectl("api-versions"))

    def test_explain(self):
        text = self.kubectl("explain", "dnsrecord.spec.values")
        self.assertIn("GROUP:      ocim.opencraft.com", text)
        self.assertIn("FIELD: values <[]string>", text)
        self.assertIn("The whole record set", text)
        self.assertIn("ownerReferences", self.kubectl("explain", "secret.metadata"))
        self.assertIn("spec.zoneRef".split(".")[1], self.kubectl("explain", "dns", "--recursive"))

    def test_version(self):
        version = json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]
        self.assertEqual((version["major"], version["minor"]), ("1", "35"))

    def test_aggregated_discovery_is_cached_by_its_tag(self):
        status, headers, body = self.get("/apis", Accept=AGGREGATED)
        self.assertEqual((status, headers["Content-Type"]), (200, AGGREGATED))
        groups = {item["metadata"]["name"]: item for item in json.loads(body)["items"]}
        resources = {r["resource"]: r for r in groups["ocim.opencraft.com"]["versions"][0]["resources"]}
        self.assertEqual(resources["dnsrecords"]["scope"], "Namespaced")
        self.assertEqual([s["subresource"] for s in resources["dnsrecords"]["subresources"]], ["status"])
        status, _, body = self.get("/apis", Accept=AGGREGATED, If_None_Match=headers["ETag"])
        self.assertEqual((status, body), (304, b""))

    def test_older_clients_ask_for_the_older_version(self):
        older = AGGREGATED.replace("v=v2;", "v=v2beta1;")
        status, headers, body = self.get("/apis", Accept=f"{older},application/json")
        self.assertEqual((status, headers["Content-Type"]), (200, older))
        self.assertEqual(json.loads(body)["apiVersion"], "apidiscovery.k8s.io/v2beta1")

    def test_plain_discovery(self):
        for path, kind in [("/api", "APIVersions"), ("/apis", "APIGroupList"), ("/api/v1/", "APIResourceList"),
                           ("/apis/ocim.opencraft.com", "APIGroup"),
                           ("/apis/ocim.opencraft.com/v1alpha1", "APIResourceList")]:
            status, _, body = self.get(path)
            self.assertEqual((status, json.loads(body)["kind"]), (200, kind), path)
        status, headers, body = self.get("/apis/absent.example.org/v1")
        self.assertEqual((status, body), (404, b"404 page not found\n"))
        self.assertTrue(headers["Content-Type"].startswith("text/plain"))

    def test_open_api(self):
        _, _, body = self.get("/openapi/v3")
        paths = json.loads(body)["paths"]
        url = paths["apis/ocim.opencraft.com/v1alpha1"]["serverRelativeURL"]
        status, headers, body = self.get(url)
        self.assertEqual((status, headers["Cache-Control"]), (200, "public, immutable"))
        document = json.loads(body)
        patch = document["paths"]["/apis/ocim.opencraft.com/v1alpha1/namespaces/{namespace}/dnsrecords/{name}"]["patch"]
        self.assertIn("fieldValidation", [parameter["name"] for parameter in patch["parameters"]])
        self.assertEqual(patch["x-kubernetes-group-version-kind"],
                         {"group": "ocim.opencraft.com", "kind": "DNSRecord", "version": "v1alpha1"})
        self.refer_to_what_is_there(document, document["components"]["schemas"], "#/components/schemas/")

        status, _, body = self.get("/openapi/v2")
        document = json.loads(body)
        self.assertEqual((status, document["swagger"]), (200, "2.0"))
        self.refer_to_what_is_there(document, document["definitions"], "#/definitions/")

    def refer_to_what_is_there(self, value, schemas, prefix):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                self.assertIn(value["$ref"].removeprefix(prefix), schemas)
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                self.refer_to_what_is_there(item, schemas, prefix)

    def test_long_answers_are_compressed(self):
        status, headers, body = self.get("/openapi/v2", Accept_Encoding="gzip")
        self.assertEqual((status, headers["Content-Encoding"]), (200, "gzip"))
        self.assertTrue(body.startswith(b"\x1f\x8b"))
        _, headers, _ = self.get("/api", Accept_Encoding="gzip")
        self.assertIsNone(headers["Content-Encoding"], "short answers go as they are")

    def test_health_needs_no_certificate_and_all_else_does(self):
        for path in "/healthz", "/livez", "/readyz":
            status, _, body = self.ocim.request("GET", path, certificate=None)
            self.assertEqual((status, body), (200, b"ok"), path)
        status, _, body = self.ocim.request("GET", "/api/v1/namespaces", certificate=None)
        self.assertEqual((status, json.loads(body)["reason"]), (401, "Unauthorized"))

    def test_a_group_is_served_while_its_crd_is_there(self):
        crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": "gadgets.shop.example.org"},
               "spec": {"group": "shop.example.org", "scope": "Cluster",
                        "names": {"kind": "Gadget", "plural": "gadgets"},
                        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                            "type": "object", "properties": {"spec": {
                                "type": "object", "description": "What the gadget is.",
                                "properties": {"size": {"type": "integer"}}}}}}}]}}
        before = json.loads(self.get("/openapi/v3")[2])["paths"]
        self.kubectl("apply", "-f", "-", stdin=json.dumps(crd))
        self.kubectl("wait", "--for=condition=Established", "crd/gadgets.shop.example.org", "--timeout=60s")
        self.assertIn("gadgets.shop.example.org", self.kubectl("api-resources", "-o", "name").split())
        after = json.loads(self.get("/openapi/v3")[2])["paths"]
        self.assertEqual({path for path in after if after[path] != before.get(path)}, {"apis/shop.example.org/v1"},
                         "only what is new has another hash")
        self.assertIn("What the gadget is.", self.kubectl("explain", "gadget.spec"))
        self.kubectl("delete", "crd", "gadgets.shop.example.org")
        self.assertEqual(self.get("/apis/shop.example.org/v1")[0], 404)


if __name__ == "__main__":
    unittest.main()
