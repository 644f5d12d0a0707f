#!/usr/bin/python3
"""The verbs and their options on the wire, as a client library writes them."""
import gzip
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import Ocim, OcimTest  # noqa: E402

RECORDS = "/apis/ocim.opencraft.com/v1alpha1/namespaces/{}/dnsrecords"
MAPS = "/api/v1/namespaces/{}/configmaps"
OLD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "boats.shop.example.org"},
    "spec": {"group": "shop.example.org", "scope": "Namespaced", "names": {"kind": "Boat", "plural": "boats"},
             "versions": [
                 {"name": version, "served": True, "storage": version == "v1", "deprecated": version != "v1",
                  "selectableFields": [{"jsonPath": ".spec.home"}, {"jsonPath": ".spec.crew"}],
                  "subresources": {"status": {}},
                  "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                      "type": "object", "properties": {"home": {"type": "string"}, "crew": {"type": "integer"}}}}}}}
                 for version in ("v1", "v1beta1")]}}


def record(name, **spec):
    wanted = {"zoneRef": {"name": "example"}, "name": "www.example.org", "type": "A", "values": ["192.0.2.1"]}
    return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": name},
            "spec": wanted | spec}


def config_map(name, labels=None, **data):
    metadata = {"name": name} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class Verbs(OcimTest):
    def ask(self, method, path, body=None, content_type="application/json", **headers):
        """Status, headers, and the body as JSON where it is."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = content_type
        status, reply, text = self.ocim.request(method, path, body, sent)
        return status, reply, json.loads(text) if text.startswith(b"{") else text

    def ok(self, method, path, body=None, content_type="application/json", **headers):
        status, _, answer = self.ask(method, path, body, content_type, **headers)
        self.assertLess(status, 300, f"{method} {path}: {answer}")
        return answer

    def space(self, name):
        self.ok("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def names(self, path):
        return [item["metadata"]["name"] for item in self.ok("GET", path)["items"]]

    def revision(self):
        return self.ok("GET", "/api/v1/namespaces?limit=1")["metadata"]["resourceVersion"]

    def test_delete_collection(self):
        maps = MAPS.format(self.space("collected"))
        for number in range(4):
            self.ok("POST", maps, config_map(f"c{number}", {"even": str(number % 2 == 0)}))
        gone = self.ok("DELETE", maps + "?labelSelector=even%3DTrue&dryRun=All")
        self.assertEqual([item["metadata"]["name"] for item in gone["items"]], ["c0", "c2"])
        self.assertEqual(self.names(maps), ["c0", "c1", "c2", "c3"], "it was a dry run")
        gone = self.ok("DELETE", maps + "?labelSelector=even%3DTrue")
        self.assertEqual(gone["kind"], "ConfigMapList")
        self.assertEqual(self.names(maps), ["c1", "c3"])
        self.ok("DELETE", maps + "?fieldSelector=metadata.name%3Dc1")
        self.assertEqual(self.names(maps), ["c3"])
        for doubtful in "?propagationPolicy=Later", "?dryRun=Some":
            self.assertEqual(self.ask("DELETE", maps + doubtful)[0], 422)
        for doubtful in {"dryRun": "All"}, {"preconditions": {"uid": 7}}, {"propagationPolicy": 1}:
            self.assertEqual(self.ask("DELETE", maps, doubtful)[0], 400, doubtful)
        self.assertEqual(self.names(maps), ["c3"], "in doubt nothing goes")
        status, _, _ = self.ask("DELETE", "/api/v1/namespaces")
        self.assertEqual(status, 405, "nobody means all namespaces")

    def test_dry_run_stores_nothing(self):
        space = self.space("dry")
        records = RECORDS.format(space)
        self.ok("POST", records, record("there"))
        before = self.revision()
        there = self.ok("GET", f"{records}/there")
        merge, apply = "application/merge-patch+json", "application/apply-patch+yaml"
        changed = there | {"spec": there["spec"] | {"ttlSeconds": 61}}
        for reason, method, path, body, kind in [
                ("create", "POST", records, record("new"), None),
                ("generated name", "POST", records, {**record("x"), "metadata": {"generateName": "g-"}}, None),
                ("update", "PUT", f"{records}/there", changed, None),
                ("patch", "PATCH", f"{records}/there", {"spec": {"ttlSeconds": 61}}, merge),
                ("apply", "PATCH", f"{records}/there", record("there", ttlSeconds=61), apply),
                ("apply of what is not there", "PATCH", f"{records}/new", record("new"), apply),
                ("status", "PATCH", f"{records}/there/status", {"status": {"observedGeneration": 9}}, merge),
                ("delete", "DELETE", f"{records}/there", None, None),
                ("delete, told in the body", "DELETE", f"{records}/there", {"dryRun": ["All"]}, None),
                ("delete of all", "DELETE", records, None, None),
                ("namespace", "POST", "/api/v1/namespaces", {"metadata": {"name": "never"}}, None),
                ("definition", "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                 json.loads(json.dumps(OLD).replace("boats", "rafts").replace("Boat", "Raft")), None)]:
            with self.subTest(reason):
                query = "?dryRun=All&fieldManager=m" if "told in" not in reason else ""
                query += "&force=true" if kind == apply else ""
                self.ok(method, path + query, body, kind or "application/json")
                self.assertEqual(self.revision(), before)
        self.assertEqual(self.ok("GET", f"{records}/there"), there)
        self.assertEqual(self.ask("GET", "/apis/shop.example.org/v1/rafts")[0], 404)
        status, _, refused = self.ask("POST", records + "?dryRun=All", record("bad", type="X"))
        self.assertEqual((status, refused["reason"]), (422, "Invalid"), "a dry run judges as the real one does")
        self.assertEqual(self.ask("POST", records + "?dryRun=All", record("there"))[0], 409)

    def test_field_validation(self):
        records = RECORDS.format(self.space("validated"))
        self.ok("POST", records, record("there"))
        twice = json.dumps(record("new")).replace('"type": "A"', '"type": "A", "type": "A"')
        bogus = json.dumps(record("new", bogus=1))
        unknown, duplicate = 'unknown field "spec.bogus"', 'duplicate field "spec.type"'
        merge, there = "application/merge-patch+json", f"{records}/there"
        patch = '{"spec":{"bogus":1}}'
        for method, path, body, kind, complaint in [
                ("POST", records, bogus, "application/json", unknown),
                ("POST", records, twice, "application/json", duplicate),
                ("PUT", there, bogus.replace('"new"', '"there"'), "application/json", unknown),
                ("PATCH", there, patch, merge, unknown)]:
            for how in "Strict", "Warn", "", "Ignore":
                with self.subTest(f"{method} {complaint} {how}"):
                    if method == "PUT":
                        body = json.loads(body)
                        body["metadata"]["resourceVersion"] = self.ok("GET", there)["metadata"]["resourceVersion"]
                        body = json.dumps(body)
                    query = f"?dryRun=All&fieldValidation={how}" if how else "?dryRun=All"
                    status, headers, answer = self.ask(method, path + query, body, kind)
                    warnings = headers.get_all("Warning") or []
                    if how == "Strict":
                        self.assertIn(status, (400, 422))
                        self.assertIn(complaint, answer["message"])
                    else:
                        self.assertLess(status, 300, answer)
                        expected = [] if how == "Ignore" else ['299 - "' + complaint.replace('"', '\\"') + '"']
                        self.assertEqual(warnings, expected)
        self.assertEqual(self.ask("POST", records + "?fieldValidation=Loose", record("new"))[0], 422)

    def test_deprecated_versions_say_so(self):
        self.ok("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", OLD)
        told = '299 - "shop.example.org/v1beta1 Boat is deprecated"'
        boats = "/apis/shop.example.org/{}/namespaces/default/boats"
        boat = {"apiVersion": "shop.example.org/v1beta1", "kind": "Boat", "metadata": {"name": "b"},
                "spec": {"home": "Oslo", "crew": 3}}
        for method, path, body in [("POST", boats, boat), ("GET", boats, None), ("GET", boats + "/b", None),
                                   ("GET", boats + "?watch=1&timeoutSeconds=1", None),
                                   ("GET", boats + "/absent", None)]:
            _, headers, _ = self.ask(method, path.format("v1beta1"), body)
            self.assertEqual(headers["Warning"], told, f"{method} {path}")
        self.assertIsNone(self.ask("GET", boats.format("v1"))[1]["Warning"])
        self.assertEqual(self.ok("GET", boats.format("v1") + "/b")["apiVersion"], "shop.example.org/v1")
        for selector, found in [("spec.home=Oslo", ["b"]), ("spec.home!=Oslo", []), ("spec.crew=3", ["b"]),
                                ("spec.home=Oslo,metadata.name=c", [])]:
            self.assertEqual(self.names(boats.format("v1") + "?fieldSelector=" + selector.replace("=", "%3D")), found)
        status, _, refused = self.ask("GET", boats.format("v1") + "?fieldSelector=spec.sails%3D2")
        self.assertEqual((status, refused["message"]), (400, "field label not supported: spec.sails"))

    def test_field_selectors_of_built_in_kinds(self):
        space = self.space("selected")
        secrets = f"/api/v1/namespaces/{space}/secrets"
        for name, kind in ("a", "Opaque"), ("b", "example.org/other"):
            self.ok("POST", secrets, {"metadata": {"name": name}, "type": kind})
        self.assertEqual(self.names(secrets + "?fieldSelector=type%3Dexample.org/other"), ["b"])
        self.assertEqual(self.names(secrets + "?fieldSelector=metadata.name!%3Db"), ["a"])
        self.assertIn(space, self.names("/api/v1/namespaces?fieldSelector=status.phase%3DActive"))

    def test_names_and_preconditions(self):
        maps = MAPS.format(self.space("named"))
        made = self.ok("POST", maps, {"metadata": {"generateName": "gen-"}})
        self.assertRegex(made["metadata"]["name"], r"^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$")
        self.ok("POST", maps, config_map("held", a="1"))
        held = self.ok("GET", f"{maps}/held")["metadata"]
        for wrong in {"uid": "other"}, {"resourceVersion": "1"}:
            status, _, refused = self.ask("DELETE", f"{maps}/held", {"preconditions": wrong})
            self.assertEqual((status, refused["reason"]), (409, "Conflict"), wrong)
        stale = config_map("held", a="2")
        stale["metadata"]["resourceVersion"] = "1"
        self.assertEqual(self.ask("PUT", f"{maps}/held", stale)[0], 409)
        right = {key: held[key] for key in ("uid", "resourceVersion")}
        self.ok("DELETE", f"{maps}/held", {"preconditions": right})
        self.assertEqual(self.ask("GET", f"{maps}/held")[0], 404)

    def test_pages_show_one_snapshot(self):
        maps = MAPS.format(self.space("paged"))
        for name in "abcde":
            self.ok("POST", maps, config_map(name))
        first = self.ok("GET", maps + "?limit=2")
        self.assertEqual(first["metadata"]["remainingItemCount"], 3)
        self.ok("DELETE", f"{maps}/c")
        self.ok("POST", maps, config_map("bb"))
        token, names, versions = first["metadata"]["continue"], ["a", "b"], {first["metadata"]["resourceVersion"]}
        while token:
            page = self.ok("GET", f"{maps}?limit=2&continue={token}")
            names += [item["metadata"]["name"] for item in page["items"]]
            versions.add(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue")
        self.assertEqual((names, len(versions)), (list("abcde"), 1))
        self.assertEqual(self.names(maps), ["a", "b", "bb", "d", "e"])
        exact = f"{maps}?resourceVersion={versions.pop()}&resourceVersionMatch=Exact"
        self.assertEqual(self.names(exact), list("abcde"), "the state as it was")

    def test_rules_of_resource_versions(self):
        now = int(self.revision())
        for query, status, reason in [
                ("resourceVersion=0", 200, None), (f"resourceVersion={now}", 200, None),
                (f"resourceVersion={now}&resourceVersionMatch=NotOlderThan", 200, None),
                (f"resourceVersion={now}&resourceVersionMatch=Exact", 200, None),
                ("resourceVersion=0&resourceVersionMatch=Exact", 422, "Invalid"),
                ("resourceVersionMatch=Exact", 422, "Invalid"),
                ("resourceVersion=0&resourceVersionMatch=Nearly", 422, "Invalid"),
                ("resourceVersion=yesterday", 400, "BadRequest"), (f"resourceVersion={now + 10**6}", 504, "Timeout"),
                ("limit=many", 400, "BadRequest"), ("continue=nonsense", 400, "BadRequest"),
                ("sendInitialEvents=true", 422, "Invalid"),
                ("watch=1&resourceVersionMatch=NotOlderThan", 422, "Invalid"),
                ("watch=1&sendInitialEvents=true", 422, "Invalid"),
                ("watch=1&resourceVersion=yesterday", 400, "BadRequest")]:
            got, _, answer = self.ask("GET", "/api/v1/namespaces?" + query)
            self.assertEqual((got, answer.get("reason")), (status, reason), query)

    def test_shapes(self):
        maps = MAPS.format(self.space("shaped"))
        self.ok("POST", maps, config_map("m", a="1"))
        for version in "v1", "v1beta1":
            for shape, path, kind in [("Table", maps, "Table"), ("Table", maps + "/m", "Table"),
                                      ("PartialObjectMetadataList", maps, "PartialObjectMetadataList"),
                                      ("PartialObjectMetadata", maps + "/m", "PartialObjectMetadata")]:
                accept = f"application/json;as={shape};g=meta.k8s.io;v={version}"
                answer = self.ok("GET", path, Accept=accept)
                self.assertEqual((answer["kind"], answer["apiVersion"]), (kind, f"meta.k8s.io/{version}"), path)
        table = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
        for include, expected in ("None", type(None)), ("Metadata", dict), ("Object", dict):
            row = self.ok("GET", f"{maps}?includeObject={include}", **table)["rows"][0]
            self.assertIsInstance(row["object"], expected)
            self.assertEqual("data" in (row["object"] or {}), include == "Object")
        status, _, _ = self.ask("GET", maps, Accept="application/json;as=Chart;g=meta.k8s.io;v=v1")
        self.assertEqual(status, 406)
        self.assertEqual(self.ok("GET", maps, Accept="application/json;as=Chart;g=meta.k8s.io;v=v1,application/json")
                         ["kind"], "ConfigMapList", "the second choice")

    def test_bodies(self):
        maps = MAPS.format(self.space("bodies"))
        yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {a: '1'}\n"
        self.assertEqual(self.ok("POST", maps, yaml, "application/yaml")["data"], {"a": "1"})
        self.ok("PUT", f"{maps}/yaml", yaml.replace("'1'", "'2'"), "application/yaml; charset=utf-8")
        protobuf = (b"k8s\0" + b"\x0a\x0f\x0a\x02v1\x12\x09ConfigMap" + b"\x12\x0c" + b"\x0a\x03\x0a\x01p"
                    + b"\x12\x05\x0a\x01k\x12\x00")
        self.assertEqual(self.ok("POST", maps, protobuf, "application/vnd.kubernetes.protobuf")["data"], {"k": ""})
        self.ok("POST", maps, config_map("long", a="x" * 300_000))
        status, headers, _ = self.ask("GET", f"{maps}/long", Accept_Encoding="gzip")
        self.assertEqual((status, headers["Content-Encoding"]), (200, "gzip"))
        _, _, text = self.ocim.request("GET", f"{maps}/long", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(json.loads(gzip.decompress(text))["data"]["a"], "x" * 300_000)

    def test_what_is_unknown_gets_a_clear_no(self):
        space = self.space("unknown")
        maps = MAPS.format(space)
        for method, path, body, kind, status in [
                ("GET", "/nothing", None, None, 404), ("GET", "/api/v2", None, None, 404),
                ("GET", "/apis/none.example.org", None, None, 404), ("GET", "/api/v1/pods", None, None, 404),
                ("GET", maps + "/a/log", None, None, 404), ("POST", maps + "/a/status", {}, None, 404),
                ("GET", maps + "/%ff%00", None, None, 400), ("GET", maps + "/a%zz", None, None, 400),
                ("POST", maps, "", "application/json", 400), ("POST", maps, "[]", "application/json", 400),
                ("POST", maps, '{"metadata":', "application/json", 400),
                ("POST", maps, '{"metadata":{"name":"\ud800"}}'.encode("utf-8", "surrogatepass"), "application/json", 400),
                ("POST", maps, '{"metadata":{"name":7}}', "application/json", 400),
                ("POST", maps, '{"metadata":{"name":"A_B"}}', "application/json", 422),
                ("POST", maps, "<a/>", "application/xml", 415), ("POST", maps, b"k8s\0\xff\xff",
                                                                  "application/vnd.kubernetes.protobuf", 400),
                ("PATCH", maps + "/a", "{}", "text/plain", 415),
                ("PATCH", maps + "/a", "{}", "application/merge-patch+json", 404),
                ("PUT", maps, {}, None, 400), ("PATCH", maps, "{}", "application/merge-patch+json", 400),
                ("POST", MAPS.format("absent"), config_map("a"), None, 404),
                ("POST", maps, config_map("a") | {"kind": "Secret"}, None, 400),
                ("POST", maps, config_map("a") | {"apiVersion": "v2"}, None, 400),
                ("GET", maps + "?labelSelector=a%20b", None, None, 400),
                ("GET", maps + "?fieldSelector=data.a%3D1", None, None, 400),
                ("OPTIONS", maps, None, None, 405)]:
            got, _, answer = self.ask(method, path, body, kind or "application/json")
            self.assertEqual(got, status, f"{method} {path} {body}: {answer}")
            if isinstance(answer, dict):
                self.assertEqual((answer["kind"], answer["status"], answer["code"]), ("Status", "Failure", status))

    def test_root_and_finalize(self):
        paths = self.ok("GET", "/")["paths"]
        for path in "/api/v1", "/apis/ocim.opencraft.com/v1alpha1", "/openapi/v2", "/readyz":
            self.assertIn(path, paths)
        space = self.space("held")
        self.ok("POST", MAPS.format(space),
                {"metadata": {"name": "c", "finalizers": ["example.org/held"]}, "data": {}})
        self.ok("DELETE", f"/api/v1/namespaces/{space}")
        stuck = self.ok("GET", f"/api/v1/namespaces/{space}")
        self.assertEqual(stuck["status"]["phase"], "Terminating")
        stuck["spec"]["finalizers"] = []
        del stuck["metadata"]["resourceVersion"]  # what holds it is written into its status meanwhile
        self.ok("PUT", f"/api/v1/namespaces/{space}/finalize", stuck)
        self.assertEqual(self.ask("GET", f"/api/v1/namespaces/{space}")[0], 404)

    def test_over_ipv6(self):
        with Ocim("--listen", "[::1]:0") as six:
            self.assertIn("server: https://[::1]:", (six.data / "kubeconfig").read_text().replace('"', ""))
            self.assertIn("kube-system", six.kubectl("get", "namespaces").stdout)


if __name__ == "__main__":
    unittest.main()
