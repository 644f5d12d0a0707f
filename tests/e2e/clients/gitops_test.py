#!/usr/bin/python3
"""What k9s, Argo CD and Flux ask of a server, request by request, in the form in which they send it."""
import concurrent.futures
import json
import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, main  # noqa: E402

AGGREGATED = ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
              "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json")
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io, application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
RECORDS = "/apis/ocim.opencraft.com/v1alpha1/namespaces/default/dnsrecords"


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def record(name, **spec):
    wanted = {"zoneRef": {"name": "example"}, "name": f"{name}.example.org", "type": "A", "values": ["192.0.2.1"]}
    return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord",
            "metadata": {"name": name, "namespace": "default"}, "spec": wanted | spec}


def definition(group, plural="ships", kind="Ship"):
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "size": {"type": "integer", "minimum": 1}, "flag": {"type": "string", "default": "white"}}}}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                     "versions": [{"name": "v1", "served": True, "storage": True,
                                   "schema": {"openAPIV3Schema": schema}}]}}


# --- as Go's typed clients write a CRD: protobuf, and no second try in JSON

def varint(number):
    out = b""
    while number > 0x7f:
        out, number = out + bytes([number & 0x7f | 0x80]), number >> 7
    return out + bytes([number])


def field(number, value):
    """A field of a message: bytes and texts by their length, numbers as they are."""
    if isinstance(value, bool) or isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(key, value):
    return field(1, key) + field(2, value)


def definition_in_protobuf(group):
    size = field(4, "How many.") + field(5, "integer") + field(37, False)
    flag = field(5, "string") + field(8, field(1, '"white"'))
    spec = field(5, "object") + field(29, entry("size", size)) + field(29, entry("flag", flag))
    root = field(5, "object") + field(29, entry("spec", spec))
    version = (field(1, "v1") + field(2, True) + field(3, True) + field(4, field(1, root)) +
               field(5, field(1, b"")) + field(7, False))
    names = field(1, "boats") + field(2, "") + field(4, "Boat") + field(5, "")
    wanted = field(1, group) + field(3, names) + field(4, "Namespaced") + field(7, version) + field(10, False)
    accepted = field(2, field(1, "") + field(2, "") + field(4, "") + field(5, ""))
    raw = field(1, field(1, f"boats.{group}") + field(2, "")) + field(2, wanted) + field(3, accepted)
    kind = field(1, "apiextensions.k8s.io/v1") + field(2, "CustomResourceDefinition")
    return b"k8s\0" + field(1, kind) + field(2, raw)


class RequestTest(ClientTest):
    def ask(self, method, path, body=None, kind="application/json", accept="application/json", **query):
        """Status and body of one request."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        headers = {"Accept": accept, "User-Agent": f"{self.AGENT}/v1 (linux/amd64) kubernetes/0000000"}
        if body is not None:
            headers["Content-Type"] = kind
        code, _, text = self.ocim.request(method, path, body, headers)
        try:
            return code, json.loads(text)
        except ValueError:
            return code, text.decode(errors="replace")

    def good(self, *words, **options):
        code, body = self.ask(*words, **options)
        self.assertIn(code, (200, 201), body)
        return body

    def events(self, path, **query):
        """What a watch says until it ends by itself, which is soon."""
        text = self.ocim.request("GET", path + "?" + urllib.parse.urlencode(
            {"watch": "true", "timeoutSeconds": "3"} | query), headers={"Accept": "application/json"})[2]
        return [json.loads(line) for line in text.splitlines()]


class K9s(RequestTest):
    CLIENT = "k9s (requests)"
    AGENT = "k9s"

    def test_start(self):
        """start: version, groups, whether there are metrics"""
        self.assertRegex(self.good("GET", "/version")["gitVersion"], r"^v1\.\d+\.\d+")
        groups = {item["metadata"]["name"] for item in self.good("GET", "/apis", accept=AGGREGATED)["items"]}
        self.assertIn("ocim.opencraft.com", groups)
        self.assertNotIn("metrics.k8s.io", groups, "else it would ask for what is not there")
        for path in "/apis/metrics.k8s.io/v1beta1", "/apis/metrics.k8s.io/v1beta1/nodes", "/api/v1/nodes":
            self.assertEqual(self.ask("GET", path)[0], 404, path)
        self.assertEqual(self.good("GET", "/api/v1/namespaces")["kind"], "NamespaceList")

    def test_access(self):
        """access: SelfSubjectAccessReview for each verb, SelfSubjectRulesReview"""
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        for verb in "list", "watch", "delete":
            for namespace in "", "default":
                wanted = {"namespace": namespace, "verb": verb, "group": "ocim.opencraft.com",
                          "version": "v1alpha1", "resource": "dnsrecords"}
                body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
                        "metadata": {"creationTimestamp": None}, "spec": {"resourceAttributes": wanted},
                        "status": {"allowed": False}}
                self.assertTrue(self.good("POST", path, body)["status"]["allowed"])
        rules = self.good("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                          {"spec": {"namespace": "default"}})
        self.assertTrue(rules["status"]["resourceRules"])

    def test_tables(self):
        """views: tables of every kind, with and without the objects; one object; its events"""
        self.good("POST", RECORDS, record("k9s"))
        for include, has in ("Object", "spec"), ("Metadata", "metadata"), ("None", None):
            table = self.good("GET", RECORDS, accept=TABLE, includeObject=include, resourceVersion="0")
            self.assertEqual(table["kind"], "Table")
            row = table["rows"][0]
            self.assertEqual(len(row["cells"]), len(table["columnDefinitions"]))
            self.assertTrue(row["object"] is None if has is None else has in row["object"])
        listed = self.good("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", accept=TABLE)
        self.assertEqual(listed["columnDefinitions"][0]["name"], "Name")
        uid = self.good("GET", RECORDS + "/k9s")["metadata"]["uid"]
        about = f"involvedObject.name=k9s,involvedObject.namespace=default,involvedObject.uid={uid}"
        self.assertEqual(self.good("GET", "/api/v1/namespaces/default/events", fieldSelector=about)["items"], [])


class ArgoCd(RequestTest):
    CLIENT = "Argo CD (requests)"
    AGENT = "argocd-application-controller"

    def test_cache(self):
        """cluster cache: discovery, schemas, pages of each kind, a watch after them"""
        resources = []
        for path in "/api", "/apis":
            for group in self.good("GET", path, accept=AGGREGATED)["items"]:
                version = group["versions"][0]
                root = f"/apis/{group['metadata']['name']}" if path == "/apis" else "/api"
                resources += [f"{root}/{version['version']}/{one['resource']}" for one in version["resources"]
                              if {"list", "watch"} <= set(one["verbs"])]
        self.assertIn("/apis/ocim.opencraft.com/v1alpha1/dnsrecords", resources)
        open_api = self.ocim.request("GET", "/openapi/v2", headers={
            "Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"})
        self.assertEqual(open_api[0], 200)
        for number in range(3):
            self.good("POST", CONFIG_MAPS, config_map(f"argo-{number}"))
        for path in resources:
            page = self.good("GET", path, limit="2", resourceVersion="0")
            while page["metadata"].get("continue"):
                page = self.good("GET", path, limit="2", **{"continue": page["metadata"]["continue"]})
            self.assertRegex(page["metadata"]["resourceVersion"], r"^\d+$", path)
        since = self.good("GET", CONFIG_MAPS)["metadata"]["resourceVersion"]
        self.good("POST", CONFIG_MAPS, config_map("argo-late"))
        said = self.events(CONFIG_MAPS, resourceVersion=since, allowWatchBookmarks="true")
        self.assertEqual([event["type"] for event in said][:1], ["ADDED"])
        for event in said:
            self.assertRegex(event["object"]["metadata"]["resourceVersion"], r"^\d+$", "it resumes from each of them")
        listing = self.events(CONFIG_MAPS, sendInitialEvents="true", resourceVersionMatch="NotOlderThan",
                              allowWatchBookmarks="true")
        ends = [event for event in listing if event["type"] == "BOOKMARK" and
                event["object"]["metadata"].get("annotations", {}).get("k8s.io/initial-events-end") == "true"]
        self.assertEqual(len(ends), 1, "a streamed list says where it ends")

    def test_old_version(self):
        """a watch from a version that is long gone ends with 410"""
        said = self.events(CONFIG_MAPS, resourceVersion="1")
        self.assertTrue(all(event["type"] != "ERROR" or event["object"]["code"] == 410 for event in said))

    def test_sync(self):
        """sync: client-side and server-side apply, dry-run diff, prune with foreground deletion"""
        path = RECORDS + "/synced"
        self.good("POST", RECORDS, record("synced"), fieldManager="argocd-controller")
        wanted = json.dumps(record("synced", ttlSeconds=60))
        options = {"fieldManager": "argocd-controller", "fieldValidation": "Strict", "force": "true"}
        before = self.good("GET", path)
        predicted = self.good("PATCH", path, wanted, "application/apply-patch+yaml", dryRun="All", **options)
        self.assertEqual(predicted["spec"]["ttlSeconds"], 60)
        self.assertIn("argocd-controller", [e["manager"] for e in predicted["metadata"]["managedFields"]])
        self.assertEqual(self.good("GET", path), before, "nothing is stored")
        self.good("PATCH", path, wanted, "application/apply-patch+yaml", **options)
        self.assertEqual(self.good("GET", path)["spec"]["ttlSeconds"], 60)
        uid = before["metadata"]["uid"]
        self.assertEqual(self.ask("DELETE", path, {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}})[0],
                         409)
        gone = self.good("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid},
                                          "propagationPolicy": "Foreground"})
        self.assertIn("foregroundDeletion", gone["metadata"]["finalizers"])

    def test_namespace(self):
        """CreateNamespace=true, and a review of what it may do there"""
        self.good("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                                 "metadata": {"name": "argo"}})
        review = self.good("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                           {"spec": {"resourceAttributes": {"namespace": "*", "verb": "list",
                                                            "resource": "configmaps"}}})
        self.assertTrue(review["status"]["allowed"])


class Flux(RequestTest):
    CLIENT = "Flux (requests)"
    AGENT = "kustomize-controller"

    def apply(self, path, manifest, **query):
        return self.ask("PATCH", path, json.dumps(manifest), "application/apply-patch+yaml",
                        fieldManager="kustomize-controller", force="true", **query)

    def test_apply(self):
        """apply: a dry run first, which tells what is new, what drifted and what is wrong"""
        path = RECORDS + "/flux"
        code, dry = self.apply(path, record("flux"), dryRun="All")
        self.assertEqual(code, 201, dry)
        self.assertNotIn("resourceVersion", dry["metadata"], "by this Flux knows that it would be created")
        self.assertEqual(self.ask("GET", path)[0], 404)
        self.assertEqual(self.apply(path, record("flux"))[0], 201)
        stored = self.good("GET", path)
        code, dry = self.apply(path, record("flux"), dryRun="All")
        self.assertEqual((code, dry), (200, stored), "no drift: nothing differs")
        self.good("PATCH", path, {"spec": {"ttlSeconds": 77, "values": ["192.0.2.9"]}}, "application/merge-patch+json",
                  fieldManager="somebody")
        code, dry = self.apply(path, record("flux"), dryRun="All")
        self.assertEqual(dry["spec"]["values"], ["192.0.2.1"], "drift is put right")
        self.assertEqual(dry["spec"]["ttlSeconds"], 77, "what is not in Git is left alone")
        code, refusal = self.apply(path, record("flux", type="AXFR"), dryRun="All")
        self.assertEqual((code, refusal["reason"]), (422, "Invalid"))
        code, refusal = self.apply("/api/v1/namespaces/nowhere/configmaps/c",
                                   {"apiVersion": "v1", "kind": "ConfigMap",
                                    "metadata": {"name": "c", "namespace": "nowhere"}}, dryRun="All")
        self.assertEqual((code, refusal["details"]["kind"]), (404, "namespaces"))

    def test_stages(self):
        """CRDs and namespaces first, then what needs them"""
        group = "flux.example.org"
        self.assertEqual(self.ask("GET", f"/apis/{group}/v1")[0], 404)
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ships.{group}"
        self.assertEqual(self.apply(path, definition(group), dryRun="All")[0], 201)
        self.assertEqual(self.apply(path, definition(group))[0], 201)
        conditions = {c["type"]: c["status"] for c in self.good("GET", path)["status"]["conditions"]}
        self.assertEqual(conditions, {"NamesAccepted": "True", "Established": "True"})
        ship = {"apiVersion": f"{group}/v1", "kind": "Ship", "metadata": {"name": "s", "namespace": "default"},
                "spec": {"size": 2}}
        code, made = self.apply(f"/apis/{group}/v1/namespaces/default/ships/s", ship)
        self.assertEqual((code, made["spec"]), (201, {"size": 2, "flag": "white"}))
        self.assertEqual(self.apply(path, definition(group))[0], 200)

    def test_migration(self):
        """takes fields over from kubectl by rewriting managedFields, guarded by the version"""
        self.good("POST", CONFIG_MAPS, config_map("taken", a="1"), fieldManager="kubectl-client-side-apply")
        stored = self.good("GET", CONFIG_MAPS + "/taken")
        entries = stored["metadata"]["managedFields"]
        entries[0] |= {"manager": "kustomize-controller", "operation": "Apply"}
        patch = [{"op": "replace", "path": "/metadata/managedFields", "value": entries},
                 {"op": "replace", "path": "/metadata/resourceVersion", "value": stored["metadata"]["resourceVersion"]}]
        done = self.good("PATCH", CONFIG_MAPS + "/taken", patch, "application/json-patch+json",
                         fieldManager="kustomize-controller")
        self.assertEqual([(e["manager"], e["operation"]) for e in done["metadata"]["managedFields"]],
                         [("kustomize-controller", "Apply")])
        self.assertEqual(self.ask("PATCH", CONFIG_MAPS + "/taken", patch, "application/json-patch+json")[0], 409)
        code, now = self.apply(CONFIG_MAPS + "/taken", config_map("taken", b="2"))
        self.assertEqual((code, now["data"]), (200, {"b": "2"}), "what it owns and leaves out goes")

    def test_controller(self):
        """leader election by a Lease, events, health of what was applied, pruning by label"""
        leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                 "metadata": {"name": "kustomize-controller-leader-election", "namespace": "default"},
                 "spec": {"holderIdentity": "pod_1", "leaseDurationSeconds": 35,
                          "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z"}}
        self.assertEqual(self.ask("GET", leases + "/kustomize-controller-leader-election")[0], 404)
        made = self.good("POST", leases, lease)
        made["spec"]["renewTime"] = "2026-01-01T00:00:10.000001Z"
        self.good("PUT", leases + "/kustomize-controller-leader-election", made)
        self.assertEqual(self.ask("PUT", leases + "/kustomize-controller-leader-election", made)[0], 409)
        self.good("PUT", leases + "/another", lease | {"metadata": {"name": "another"}})  # made by an update
        event = {"metadata": {"generateName": "flux-", "namespace": "default"},
                 "involvedObject": {"kind": "Kustomization", "namespace": "default", "name": "apps"},
                 "reason": "ReconciliationSucceeded", "message": "done", "type": "Normal"}
        self.good("POST", "/api/v1/namespaces/default/events", event)
        partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
        listed = self.good("GET", CONFIG_MAPS, accept=partial, labelSelector="kustomize.toolkit.fluxcd.io/name=apps")
        self.assertEqual(listed["kind"], "PartialObjectMetadataList")


class GoClients(RequestTest):
    CLIENT = "Go's typed clients (requests)"
    AGENT = "operator"

    def test_definition_in_protobuf(self):
        """a CRD as protobuf, then an object of it"""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        made = self.good("POST", path, definition_in_protobuf("pb.example.org"), PROTOBUF, accept=PROTOBUF +
                         ",application/json")
        self.assertEqual(made["spec"]["names"]["listKind"], "BoatList")
        boats = "/apis/pb.example.org/v1/namespaces/default/boats"
        boat = {"apiVersion": "pb.example.org/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"size": 3}}
        self.assertEqual(self.good("POST", boats, boat)["spec"], {"size": 3, "flag": "white"})
        self.assertEqual(self.ask("POST", boats, boat | {"spec": {"size": "x"}})[0], 422)
        code, refusal = self.ask("POST", boats, b"k8s\0", PROTOBUF)
        self.assertEqual((code, refusal["reason"]), (415, "UnsupportedMediaType"), "objects of CRDs are never protobuf")

    def test_old_watch_paths(self):
        """/api/v1/watch/…, as clients of long ago"""
        self.good("POST", CONFIG_MAPS, config_map("watched"))
        for path in ("/api/v1/watch/configmaps", "/api/v1/watch/namespaces/default/configmaps",
                     "/api/v1/watch/namespaces/default/configmaps/watched"):
            text = self.ocim.request("GET", path + "?timeoutSeconds=1")[2].decode()
            self.assertIn('"name":"watched"', text, path)
        self.assertEqual(self.ask("DELETE", "/api/v1/watch/configmaps")[0], 405)

    def test_parameters(self):
        """parameters that mean nothing are refused by name"""
        for reason, method, query, code in [
                ("a time that is no number", "GET", {"timeoutSeconds": "abc"}, 400),
                ("a watch's time", "GET", {"watch": "1", "timeoutSeconds": "abc"}, 400),
                ("a limit that is no number", "GET", {"limit": "1x"}, 400),
                ("a limit beyond all numbers", "GET", {"limit": "9" * 30}, 400),
                ("a limit below nothing is none", "GET", {"limit": "-1"}, 200),
                ("a version that is none", "GET", {"resourceVersion": "x"}, 400),
                ("a watch with a match and no initial events", "GET",
                 {"watch": "1", "resourceVersion": "1", "resourceVersionMatch": "NotOlderThan"}, 422),
                ("a match that nobody knows", "GET", {"resourceVersion": "1", "resourceVersionMatch": "Roughly"}, 422),
                ("a selector that ends too early", "GET", {"labelSelector": "a in"}, 400),
                ("an end of grace that is no number", "DELETE", {"gracePeriodSeconds": "soon"}, 400),
                ("a propagation that nobody knows", "DELETE", {"propagationPolicy": "Sideways"}, 422),
                ("a dry run of a part", "DELETE", {"dryRun": "Some"}, 422)]:
            with self.subTest(reason):
                got, body = self.ask(method, "/api/v1/namespaces/kube-system/configmaps", **query)
                self.assertEqual(got, code, body)
        code, body = self.ask("PATCH", RECORDS + "/none", {}, "application/merge-patch+json", force="true")
        self.assertEqual((code, body["details"]["causes"][0]["field"]), (422, "force"))

    def test_the_future(self):
        """a list at a version of the future waits for it a moment"""
        now = int(self.good("GET", CONFIG_MAPS)["metadata"]["resourceVersion"])
        code, body = self.ask("GET", CONFIG_MAPS, resourceVersion=str(now + 1_000_000))
        self.assertEqual((code, body["reason"], body["details"]["causes"][0]["reason"]),
                         (504, "Timeout", "ResourceVersionTooLarge"))
        self.assertEqual(body["details"]["retryAfterSeconds"], 1)
        code, body = self.ask("GET", CONFIG_MAPS, watch="1", sendInitialEvents="true", allowWatchBookmarks="true",
                              resourceVersionMatch="NotOlderThan", resourceVersion=str(now + 1_000_000))
        self.assertEqual((code, body["reason"]), (504, "Timeout"))

    def test_the_near_future(self):
        """a streamed list waits for a version that is on its way"""
        now = int(self.good("GET", CONFIG_MAPS)["metadata"]["resourceVersion"])
        names = [f"on-its-way-{number}" for number in range(5)]
        with concurrent.futures.ThreadPoolExecutor() as others:
            streamed = others.submit(self.events, CONFIG_MAPS, sendInitialEvents="true", timeoutSeconds="1",
                                     resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true",
                                     resourceVersion=str(now + len(names)))
            for name in names:
                self.good("POST", CONFIG_MAPS, config_map(name))
            said = streamed.result()
        listed = [event["object"]["metadata"].get("name") for event in said if event["type"] == "ADDED"]
        self.assertLessEqual(set(names), set(listed), said)


if __name__ == "__main__":
    main()
