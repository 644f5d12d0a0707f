#!/usr/bin/python3
"""/debug of a server that runs controllers: what it tells, to whom, and what `ocim explain-status` makes of it."""
import datetime
import http.client
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PROGRAM, Ocim, OcimTest, wait_until  # noqa: E402

VERSION = "ocim.opencraft.com/v1alpha1"
KEY = "open-sesame-of-the-zone"
RECORDS = 60


def objects():
    yield {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pdns", "namespace": "ocim-system"},
           "stringData": {"apiKey": KEY}}
    # nothing listens on port 9
    yield {"apiVersion": VERSION, "kind": "DNSZone", "metadata": {"name": "example"}, "spec": {
        "domain": "example.org", "powerdns": {"url": "http://127.0.0.1:9"}, "credentialsRef": {"name": "pdns"}}}
    for number in range(RECORDS):
        yield {"apiVersion": VERSION, "kind": "DNSRecord", "metadata": {"name": f"r{number}", "namespace": "default"}, "spec": {
            "zoneRef": {"name": "example"}, "name": f"r{number}.example.org", "type": "A", "values": ["192.0.2.1"]}}


class Debug(OcimTest):
    @classmethod
    def setUpClass(cls):
        cls.ocim = Ocim(controllers=True)
        cls.addClassCleanup(cls.ocim.close)
        cls.ocim.start()
        cls.ocim.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects())}))

    def page(self, target):
        return json.loads(self.kubectl("get", "--raw", "/debug/" + target))

    def items(self, target):
        return self.page(target)["items"]

    def blocked(self):
        """One record, once the zone was found not to answer."""
        def found():
            rows = self.items("objects?kind=DNSRecord&namespace=default&name=r7")
            probed = [zone for zone in self.items("backends?kind=DNSZone") if "probe" in zone["lastCalls"]]
            return rows and probed and "blockedBy" in rows[0] and rows[0]
        return wait_until(found, "the record's backend is in trouble")

    def test_a_record_says_what_it_waits_for(self):
        row = self.blocked()
        self.assertEqual((row["controller"], row["kind"], row["namespace"], row["name"]), ("dnsrecord", "DNSRecord", "default", "r7"))
        self.assertEqual((row["blockedBy"], row["backend"]), ("BackendUnreachable", {"kind": "DNSZone", "name": "example"}))
        (zone,) = self.items("backends?kind=DNSZone")
        self.assertEqual((zone["objects"], zone["breaker"]["state"], zone["cache"]["known"]), (RECORDS, "Open", False))
        self.assertEqual(zone["lastCalls"]["probe"]["result"], "unreachable")
        (error,) = self.items("errors?kind=DNSZone")
        self.assertEqual((error["of"], error["class"], error["name"]), ("Backend", "unreachable", "example"))
        self.assertIn("nothing accepts connections", error["message"])
        # what is said of the next probe comes about
        said = datetime.datetime.fromisoformat(zone["breaker"]["nextProbe"])
        def probed():
            at = datetime.datetime.fromisoformat(self.items("backends?kind=DNSZone")[0]["lastCalls"]["probe"]["at"])
            return at >= said and at
        self.assertLess((wait_until(probed, "it is probed") - said).total_seconds(), 2)

    def test_pages_follow_each_other(self):
        self.blocked()
        names, after, pages = [], "", 0
        while True:
            page = self.page(f"objects?kind=DNSRecord&limit=25&continue={after}")
            names += [item["name"] for item in page["items"]]
            pages += 1
            after = page["metadata"]["continue"]
            if not after:
                break
        self.assertEqual((pages, len(names)), (3, RECORDS))
        self.assertEqual(set(names), {f"r{number}" for number in range(RECORDS)})
        self.assertIn("must be a number", self.refused("get", "--raw", "/debug/objects?limit=some"))
        self.assertIn("NotFound", self.refused("get", "--raw", "/debug/pprof"))

    def test_no_secret_is_in_it(self):
        self.blocked()
        for path in json.loads(self.kubectl("get", "--raw", "/debug"))["paths"]:
            self.assertNotIn(KEY, self.kubectl("get", "--raw", path))

    def test_only_who_may_sees_it(self):
        raw = ["get", "--raw", "/debug/objects"]
        self.kubectl("create", "clusterrolebinding", "vera-sees", "--clusterrole=ocim-viewer", "--user=vera")
        self.kubectl("create", "rolebinding", "nora-runs", "-n", "default", "--clusterrole=ocim-admin", "--user=nora")
        self.kubectl("create", "clusterrolebinding", "anna-runs", "--clusterrole=ocim-admin", "--user=anna")
        self.kubectl("create", "clusterrole", "debugs", "--verb=get", "--non-resource-url=/debug/*")
        self.kubectl("create", "clusterrolebinding", "dora-debugs", "--clusterrole=debugs", "--user=dora")
        for user in "vera", "nora":
            self.assertIn('cannot get path "/debug/objects"', self.refused(*raw, "--as=" + user), user)
        for user in "anna", "dora":
            self.assertIn("ObjectList", self.kubectl(*raw, "--as=" + user), user)
        for headers in {}, {"Authorization": "Bearer x"}:
            code, _, _ = self.ocim.request("GET", "/debug/objects", headers=headers, certificate=None)
            self.assertEqual(code, 401)

    def test_the_open_port_has_none(self):
        port = int(re.search(r"metrics=http://127.0.0.1:(\d+)", self.ocim.log.read_text())[1])
        for path, code in ("/metrics", 200), ("/debug", 404), ("/debug/objects", 404):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path)
            reply = connection.getresponse()
            text = reply.read().decode()
            connection.close()
            self.assertEqual(reply.status, code, path)
            if path == "/metrics":
                self.assertRegex(text, r"(?m)^process_resident_memory_bytes [1-9]")

    def test_explain_status_is_exact(self):
        self.blocked()
        told = self.ocim.run(PROGRAM, "explain-status", "dnsrecord/r7").stdout
        self.assertRegex(told, r"next try:   as soon as the backend answers: it is asked again (in \d+s \(20.*Z\)|at any moment)\n")
        self.assertRegex(told, r"last call:  \d+s ago, failed: (probe|observe): 127.0.0.1:9: nothing accepts")
        # whoever may not look inside is told what conditions and events tell
        self.kubectl("create", "clusterrolebinding", "wim-sees", "--clusterrole=ocim-viewer", "--serviceaccount=default:wim")
        self.kubectl("create", "serviceaccount", "wim")
        token = self.kubectl("create", "token", "wim").strip()
        host, port = self.ocim.address()
        config = self.ocim.home / "wim"
        config.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"https://{host}:{port}",
                                                   "certificate-authority": str(self.ocim.data / "pki" / "ca.crt")}}],
            "users": [{"name": "wim", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "wim"}}]}))
        told = self.ocim.run(PROGRAM, "explain-status", "dnsrecord/r7", "--kubeconfig", str(config)).stdout
        self.assertIn("next try:   as soon as the backend answers: it is asked every few seconds\n", told)


class WithoutControllers(OcimTest):
    def test_there_is_nothing_to_look_at(self):
        self.assertIn("/debug/queues", self.kubectl("get", "--raw", "/debug"))
        self.assertIn("runs without controllers", self.refused("get", "--raw", "/debug/queues"))


if __name__ == "__main__":
    unittest.main()
