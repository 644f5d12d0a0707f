#!/usr/bin/python3
"""`ocim plan` says what `ocim apply` then does, no more and no less, and does nothing itself; `ocim explain-status` and `ocim
doctor` say what is wrong with a real installation. The events of the server are the witness: one an action."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from case import READY, ROOT, Scenario, wait_for

OCIM = pathlib.Path(os.environ.get("OCIM") or ROOT / "build" / "ocim")
GROUP = "ocim.opencraft.com/v1alpha1"
ACTED = ("Created", "Updated", "Deleted", "Acted")


class Plan(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manifests = tempfile.TemporaryDirectory(prefix="ocim-plan-")
        cls.addClassCleanup(cls.manifests.cleanup)

    def ocim(self, *words, codes=(0,), seconds=120):
        done = subprocess.run([OCIM, *words, "--kubeconfig", str(self.stage.kubeconfig)], capture_output=True, text=True,
                              timeout=seconds, env={"PATH": os.environ["PATH"], "HOME": self.folder.name})
        self.assertIn(done.returncode, codes, done.stdout + done.stderr)
        return done

    def write(self, name, *objects):
        path = pathlib.Path(self.manifests.name) / name
        path.write_text("\n---\n".join(json.dumps(one) for one in objects))
        return str(path)

    def plan(self, path, *words, codes=(2,)):
        return json.loads(self.ocim("plan", "-f", path, "-o", "json", *words, codes=codes).stdout)

    def acted(self, since=()):
        """What the server says that it did in the world: kind and name, and the action."""
        out = {}
        for event in self.stage.get("events.events.k8s.io", "-n", "campus")["items"]:
            about = event["regarding"]
            if event["reason"] in ACTED and about["kind"] in ("DNSRecord", "DatabaseTenant", "LoadBalancerFragment",
                                                              "RabbitMQVhost", "Monitor"):
                out[(event["metadata"]["name"], f'{about["kind"]} campus/{about["name"]}', event["note"])] = None
        return sorted(key[1:] for key in out if key not in since), set(out)

    def logged(self):
        """The same by the server's log: of many things of one object not each is an event."""
        log = self.stage.path("log", "ocim.log").read_text()
        return [(f"{kind} {name}", what) for kind, name, what in re.findall(
            r'info acted kind=(\S+) object=(\S+) .*?action="((?:[^"\\]|\\.)*)" result=success', log)]

    @staticmethod
    def planned(plan):
        return sorted((one["object"], one["description"]) for one in plan["actions"])

    def world(self):
        """All that could be different if somebody had acted."""
        return (self.stage.powerdns_api("GET", "/zones/example.test."), sorted(self.databases()),
                self.stage.sql("SELECT user FROM mysql.user ORDER BY 1").stdout,
                sorted(p.name for p in self.stage.path("haproxy").rglob("*") if not p.is_socket()),
                self.stage.kubectl("get", "dns,dbtenant,lbf,secrets", "-A", "-o", "name").stdout)

    def things(self, address="192.0.2.1", database="wiki"):
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}},
            {"apiVersion": GROUP, "kind": "DNSRecord", "metadata": {"name": "www", "namespace": "campus"},
             "spec": {"zoneRef": {"name": "demo"}, "name": "www.example.test", "type": "A", "values": [address]}},
            {"apiVersion": GROUP, "kind": "DatabaseTenant", "metadata": {"name": "wiki", "namespace": "campus"},
             "spec": {"serverRef": {"name": "demo"}, "databases": [{"name": "wiki"}, {"name": database}][:1 + (database != "wiki")],
                      "users": [{"name": "wiki", "passwordRef": {"name": "wiki-db", "key": "password"},
                                 "grants": [{"database": "wiki", "privileges": ["ALL"]}]}], "deletionPolicy": "Delete"}},
            {"apiVersion": GROUP, "kind": "LoadBalancerFragment", "metadata": {"name": "wiki", "namespace": "campus"},
             "spec": {"loadBalancerRef": {"name": "demo"}, "domains": ["www.example.test"],
                      "servers": [{"name": "one", "address": address}]}},
        ]

    def kinds_ready(self):
        for kind, name in ("dnsrecord", "www"), ("databasetenant", "wiki"), ("loadbalancerfragment", "wiki"):
            self.wait_ready(kind, name)

    def test_01_a_plan_of_new_things_is_what_apply_then_does(self):
        path = self.write("things.json", *self.things())
        before = self.world()
        plan = self.plan(path)
        self.assertEqual(self.world(), before, "a plan does nothing")
        self.assertTrue(plan["complete"])
        self.assertEqual(plan["unknown"], [])
        self.assertEqual({one["object"].split()[0] for one in plan["actions"]},
                         {"DNSRecord", "DatabaseTenant", "LoadBalancerFragment"})
        text = self.ocim("plan", "-f", path, codes=(2,)).stdout
        self.assertIn("DNSZone demo:\n", text)
        self.assertNotIn("\x1b", text)
        self.ocim("apply", "-f", path)
        self.kinds_ready()
        secret = self.secret("wiki-db", "password")
        self.assertNotIn(secret, text + json.dumps(plan))
        done, _ = self.acted()
        self.assertEqual(done, self.planned(plan))

    def test_02_what_is_as_declared_needs_nothing(self):
        done = self.ocim("plan", "-f", self.write("things.json", *self.things()))
        self.assertEqual(done.stdout, "No changes: the world is as declared.\n")

    def test_03_a_change(self):
        path = self.write("things.json", *self.things("192.0.2.2", "more"))
        _, known = self.acted()
        plan = self.plan(path)
        fields = {field["path"]: (field["before"], field["after"])
                  for one in plan["declared"] if one["object"] == "DNSRecord campus/www" for field in one["fields"]}
        self.assertEqual(fields, {"spec.values": ('["192.0.2.1"]', '["192.0.2.2"]')})
        self.ocim("apply", "-f", path)
        wait_for("the record is changed", lambda: self.dig("www.example.test") == ["192.0.2.2"], READY)
        wait_for("the database is there", lambda: "more" in self.databases(), READY)
        wait_for("the server says all of it",
                 lambda: self.acted(known)[0] == self.planned(plan), 60)

    def test_04_the_world_is_looked_at_and_not_remembered(self):
        """Somebody changed the world behind everybody's back; manifests that are as before have a plan."""
        self.patch("dnszone", "demo", {"spec": {"driftInterval": "1h"}}, namespace=None)
        self.wait_ready("dnszone", "demo", namespace=None)
        self.wait_ready("dnsrecord", "www")
        path = self.write("things.json", *self.things("192.0.2.2", "more"))
        self.ocim("plan", "-f", path)
        rrset = {"name": "www.example.test.", "type": "A", "ttl": 60, "changetype": "REPLACE",
                 "records": [{"content": "198.51.100.1", "disabled": False}]}
        self.stage.powerdns_api("PATCH", "/zones/example.test.", {"rrsets": [rrset]})
        plan = self.plan(path)
        self.assertEqual(([one["object"] for one in plan["actions"]], plan["declared"]), (["DNSRecord campus/www"], []))
        self.patch("dnszone", "demo", {"spec": {"driftInterval": "2s"}}, namespace=None)
        wait_for("it is put right", lambda: self.dig("www.example.test") == ["192.0.2.2"], READY)

    def test_04b_who_is_paused_stays_as_he_is(self):
        self.ocim("pause", "dns/www", "-n", "campus")
        plan = self.plan(self.write("things.json", *self.things("192.0.2.9", "more")))
        self.assertEqual([one for one in plan["actions"] if one["object"].startswith("DNSRecord")], [])
        self.ocim("resume", "dns/www", "-n", "campus")

    def test_05_a_refusal_is_the_plan(self):
        bad = self.things()[1]
        bad["spec"]["type"] = "CNAME"
        done = self.ocim("plan", "-f", self.write("bad.json", bad), codes=(1,))
        self.assertIn("the type cannot be changed", done.stderr)
        self.assertEqual(self.ocim("plan", "--nope", codes=(1,)).stdout, "")
        config = self.stage.path("ada")
        made = subprocess.run([OCIM, "kubeconfig", "--user", "ada", "--data-dir", str(self.stage.path("ocim"))],
                              capture_output=True, text=True, timeout=60, check=True)
        config.write_text(made.stdout)
        done = subprocess.run([OCIM, "plan", "-f", self.write("one.json", self.things()[1]), "--kubeconfig", str(config)],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, "Forbidden" in done.stderr), (1, True), done.stderr)

    def test_06_a_backend_that_cannot_be_looked_at_is_said(self):
        """And what waits for it is explained."""
        self.stage.stop("powerdns")
        path = self.write("things.json", *self.things("192.0.2.3", "more"))
        plan = self.plan(path, codes=(1,))
        self.assertEqual([one["object"] for one in plan["unknown"]], ["DNSRecord campus/www"])
        self.assertTrue(plan["unknown"][0]["unreachable"])
        self.assertEqual({one["object"].split()[0] for one in plan["actions"]}, {"LoadBalancerFragment"},
                         "of the others it is told all the same")
        self.ocim("apply", "-f", path)
        wait_for("the record says so", lambda: self.condition("dnsrecord", "www")["reason"].startswith("Backend"), READY)
        said = self.ocim("explain-status", "dnsrecord/www", "-n", "campus").stdout
        self.assertRegex(said, r"DNSRecord campus/www: not Ready, Backend\w+\n")
        self.assertRegex(said, r"next try:   as soon as the backend answers")
        self.assertRegex(said, r"must act:   whoever runs DNSZone demo")
        self.assertRegex(said, r"waits on:\n    DNSZone demo: (not Ready|Stalled), Backend\w+\n")
        sick = self.ocim("doctor", codes=(1,)).stdout
        self.assertRegex(sick, r"FAIL  dnszone/demo: Backend\w+: ")
        self.assertIn("ok    controllers run", sick)
        self.stage.start_again("powerdns")
        wait_for("the record is right", lambda: self.dig("www.example.test") == ["192.0.2.3"], READY)
        self.wait_ready("dnsrecord", "www")
        self.assertEqual(self.ocim("explain-status", "dns/www", "-n", "campus").stdout, "DNSRecord campus/www: Ready\n")

    def test_07_a_deletion(self):
        """Of the Namespace: with it goes all that is in it."""
        things = self.things("192.0.2.3", "more")
        path = self.write("things.json", *things)
        known = len(self.logged())
        plan = self.plan(path, "--delete")
        self.assertEqual(plan, plan | {"complete": True, "unknown": []})
        alone = self.plan(self.write("namespace.json", things[0]), "--delete")
        self.assertEqual(self.planned(alone), self.planned(plan))
        self.assertLessEqual({"DNSRecord campus/www", "DatabaseTenant campus/wiki", "LoadBalancerFragment campus/wiki",
                              "Secret campus/wiki-db"},
                             {one["object"] for one in alone["consequences"] if one["verb"] == "delete"})
        self.assertEqual({one["verb"] for one in plan["actions"]}, {"delete"})
        self.ocim("delete", "-f", path, seconds=300)

        def plain(actions):
            return sorted((who, what.replace("\\", "")) for who, what in actions)
        # the events went with the Namespace
        wait_for("the server says all of it", lambda: plain(self.logged()[known:]) == plain(self.planned(plan)), 60)

    def test_08_a_site_as_far_as_it_can_be_known(self):
        site = self.stage.manifests(ROOT / "manifests/samples/demo")
        path = self.write("site.json", *site)
        before = self.world()
        plan = self.plan(path, codes=(1, 2))
        self.assertEqual(self.world(), before)
        kinds = {one["object"].split()[0] for one in plan["consequences"] if one["verb"] == "create"}
        self.assertLessEqual({"DNSRecord", "DatabaseTenant", "RabbitMQVhost", "LoadBalancerFragment"}, kinds)
        self.ocim("apply", "-f", path)
        self.wait_ready()
        drawn = re.compile(r"demo(_example_test)?[-_][a-z]{8}")  # names that are drawn by chance

        def masked(pairs):
            return {(who, drawn.sub("NAME", what.replace("\\", ""))) for who, what in pairs}
        planned = [one for one in self.planned(plan)
                   if one[0].split()[0] in ("DNSRecord", "DatabaseTenant", "LoadBalancerFragment", "RabbitMQVhost")]
        self.assertTrue(planned)
        self.assertEqual(masked(planned) - masked(self.logged()), set())

    def test_09_what_is_wrong_with_nothing(self):
        said = self.ocim("doctor").stdout
        self.assertIn("ok    it serves every kind of this version", said)
        self.assertIn("backends are ready", said)

    def test_10_an_abandoned_site_goes_and_leaves_all_that_it_has_in_the_world(self):
        self.wait_ready()
        site, = (one for one in self.stage.manifests(ROOT / "manifests/samples/demo") if one["kind"] == "Instance")
        path = self.write("one-site.json", site)
        made = "appservers,virtualmachines,dnsrecords,databasetenants,rabbitmqvhosts,loadbalancerfragments,monitors"
        owned = self.stage.kubectl("get", made, "-n", "campus", "-o", "name").stdout.split()
        self.assertGreater(len(owned), 6, owned)
        self.stage.kubectl("annotate", "instance", "demo", "-n", "campus", "ocim.opencraft.com/abandon=true")
        plan = self.plan(path, "--delete")
        self.assertEqual((plan["actions"], plan["unknown"]), ([], []))
        kinds = {one.split()[0] for one in plan["abandoned"]}
        self.assertLessEqual({"Instance", "AppServer", "VirtualMachine", "DNSRecord", "DatabaseTenant", "RabbitMQVhost",
                              "LoadBalancerFragment"}, kinds)
        self.assertEqual(kinds & {"Secret"}, set())
        said = self.ocim("plan", "-f", path, "--delete", codes=(2,)).stdout
        self.assertIn("Let go without cleaning up, so that what they have in the world stays:\n", said)
        before, machines = self.world()[:-1], self.machines()
        secrets = self.stage.kubectl("get", "secrets", "-n", "campus", "-o", "name").stdout
        self.ocim("delete", "-f", path, seconds=300)
        wait_for("what it made is let go of", lambda: not [
            one for one in owned if self.stage.kubectl("get", one, "-n", "campus", check=False).returncode == 0], READY)
        wait_for("its zone has looked again", lambda: self.stage.get("dnszone", "demo")["status"].get("orphans", 0) > 0, READY)
        self.assertEqual(self.world()[:-1], before, "records, databases, users and fragments are there")
        self.assertEqual(self.machines(), machines, "and its machine")
        self.assertEqual(self.stage.kubectl("get", "secrets", "-n", "campus", "-o", "name").stdout, secrets)
        self.assertEqual(self.page()[0], 200, "it is served as before")


if __name__ == "__main__":
    unittest.main()
