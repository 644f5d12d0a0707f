#!/usr/bin/python3
"""Whose a thing is: look-alikes are left alone and reported, orphans are counted and, where it is said so, removed, and a
backend that is gone for good lets go only of what a person abandons."""
import base64
import json
import signal
import unittest
import urllib.request

from case import DRIFT, READY, Scenario, StageError, wait_for

API = "ocim.opencraft.com/v1alpha1"


def thing(kind, name, spec, **metadata):
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": "campus", **metadata}, "spec": spec}


def record(name, value="192.0.2.1"):
    return thing("DNSRecord", name, {"zoneRef": {"name": "demo"}, "name": f"{name}.example.test", "type": "A",
                                     "values": [value]})


def machine(name, **metadata):
    return thing("VirtualMachine", name, {"cloudRef": {"name": "local"}, "keyName": "demo"}, **metadata)


class Ownership(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}})

    def broker(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.stage.facts['RABBITMQ_PORT']}/api/{path}", method=method,
                                         data=json.dumps(body or {}).encode(), headers={"Content-Type": "application/json"})
        login = base64.b64encode(f"ocim:{self.stage.facts['RABBITMQ_PASSWORD']}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        urllib.request.urlopen(request, timeout=60).close()

    def not_owned(self, kind, name):
        try:
            wait_for(f"{kind} {name} says so", lambda: self.condition(kind, name)["reason"] == "NotOwned", DRIFT)
        except Exception as error:
            self.fail(f"{error}: {self.condition(kind, name)}")
        self.assertEqual(self.condition(kind, name, "Stalled")["status"], "True")

    def delete(self, *names):
        self.stage.kubectl("delete", *names, "-n", "campus", "--timeout=300s", seconds=330)

    # --- look-alikes

    def test_01_a_machine_of_that_name(self):
        self.stage.apply(machine("alike", annotations={"ocim.opencraft.com/paused": "true"}))
        uid = self.stage.get("virtualmachine", "alike", "-n", "campus")["metadata"]["uid"]
        folder = self.stage.path("ocim", "local-cloud", "local", f"alike-{uid[:8]}", "own-file")
        folder.write_text("somebody's")
        self.patch("virtualmachine", "alike", {"metadata": {"annotations": {"ocim.opencraft.com/paused": None}}})
        self.not_owned("virtualmachine", "alike")
        self.delete("virtualmachine/alike")
        self.assertEqual(folder.read_text(), "somebody's")
        self.assertEqual(list(folder.parent.iterdir()), [folder], "nothing was added")
        folder.unlink()
        folder.parent.rmdir()

    def test_02_a_vhost_and_a_user_of_the_broker(self):
        self.broker("PUT", "vhosts/foreign")
        self.broker("PUT", "users/stranger", {"password": "own", "tags": ""})
        self.broker("PUT", "permissions/foreign/stranger", {"configure": "x", "write": "x", "read": "x"})
        users = [{"name": "stranger", "passwordRef": {"name": "words", "key": "stranger"}}]
        self.stage.apply(thing("RabbitMQVhost", "foreign-vhost", {"serverRef": {"name": "demo"}, "vhost": "foreign", "users": [
                             {"name": "own-user", "passwordRef": {"name": "words", "key": "own"}}]}),
                         thing("RabbitMQVhost", "foreign-user", {"serverRef": {"name": "demo"}, "vhost": "own", "users": users}))
        for name in ("foreign-vhost", "foreign-user"):
            self.not_owned("rabbitmqvhost", name)
        self.delete("rabbitmqvhost/foreign-vhost", "rabbitmqvhost/foreign-user")
        self.assertIsNotNone(self.stage.rabbitmq_api("whoami", "stranger", "own") or self.stage.rabbitmq_api("users/stranger"))
        self.assertEqual([(p["user"], p["read"]) for p in self.stage.rabbitmq_api("vhosts/foreign/permissions")
                          if p["user"] != "ocim"], [("stranger", "x")])

    def test_03_a_user_of_the_database_server(self):
        self.stage.sql("CREATE USER 'stranger'@'%' IDENTIFIED BY 'own'")
        before = self.stage.sql("SHOW CREATE USER 'stranger'@'%'; SHOW GRANTS FOR 'stranger'@'%'").stdout
        self.stage.apply(thing("DatabaseTenant", "foreign-user", {"serverRef": {"name": "demo"}, "users": [
            {"name": "stranger", "passwordRef": {"name": "words", "key": "stranger"}}], "databases": [{"name": "own_db"}],
            "deletionPolicy": "Delete"}))
        self.not_owned("databasetenant", "foreign-user")
        self.delete("databasetenant/foreign-user")
        self.assertEqual(self.stage.sql("SHOW CREATE USER 'stranger'@'%'; SHOW GRANTS FOR 'stranger'@'%'").stdout, before)

    def test_04_a_fragment_and_a_domain(self):
        version = self.stage.path("haproxy", "ocim", "current").resolve()
        mine = version / "conf.d" / "ocim-campus_alike.cfg"
        mine.write_text("backend somebodys\n  http-request return status 200 content-type text/plain string \"own\"\n")
        with open(version / "domains.map", "a", encoding="utf-8") as domains:
            domains.write("taken.example.test somebodys\n")
        spec = {"loadBalancerRef": {"name": "demo"}, "servers": [{"name": "a", "address": "192.0.2.9"}]}
        self.stage.apply(thing("LoadBalancerFragment", "alike", {**spec, "domains": ["alike.example.test"]}),
                         thing("LoadBalancerFragment", "domain", {**spec, "domains": ["taken.example.test"]}))
        for name in ("alike", "domain"):
            self.not_owned("loadbalancerfragment", name)
        self.delete("loadbalancerfragment/alike", "loadbalancerfragment/domain")
        version = self.stage.path("haproxy", "ocim", "current").resolve()
        self.assertIn("backend somebodys", (version / "conf.d" / "ocim-campus_alike.cfg").read_text())
        self.assertIn("taken.example.test somebodys", (version / "domains.map").read_text())

    # --- orphans

    def orphans(self, kind, name, metric_kind):
        told = self.stage.get(kind, name)["status"].get("orphans", 0)
        return told if told == self.metric("ocim_orphans", kind=metric_kind) else -1

    def test_05_what_has_our_mark_and_no_object_is_counted_and_told(self):
        self.stage.apply(record("lost"), machine("lost"))
        self.wait_ready("dnsrecord", "lost")
        self.wait_ready("virtualmachine", "lost")
        abandoned = self.metric("ocim_abandoned_total")
        for kind in ("dnsrecord", "virtualmachine"):
            self.stage.kubectl("annotate", kind, "lost", "-n", "campus", "ocim.opencraft.com/abandon=true")
            self.delete(f"{kind}/lost")
        self.assertEqual(self.metric("ocim_abandoned_total"), abandoned + 2)
        wait_for("events tell of it", lambda: {e["regarding"]["kind"] for e in self.events("Abandoned")} >= {
            "DNSRecord", "VirtualMachine"}, 60)
        for kind, name, of in (("dnszone", "demo", "DNSZone"), ("cloud", "local", "Cloud")):
            wait_for(f"{kind} counts it", lambda kind=kind, name=name, of=of: self.orphans(kind, name, of) > 0, 60)
        self.assertEqual(self.dig("lost.example.test"), ["192.0.2.1"], "reported, not removed")
        self.assertEqual(len(self.machines()[1]), 1)
        wait_for("events tell of both", lambda: {e["regarding"]["kind"] for e in self.stage.get(
            "events.events.k8s.io", "-A")["items"] if e["reason"] == "OrphanFound"} >= {"DNSZone", "Cloud"}, 60)

    def test_06_where_it_is_said_so_it_is_removed(self):
        policy = {"spec": {"orphanPolicy": {"action": "Delete", "minAge": "3s"}}}
        self.patch("dnszone", "demo", policy, namespace=None)
        self.patch("cloud", "local", policy, namespace=None)
        wait_for("the record is gone", lambda: self.dig("lost.example.test") == [], 60)
        wait_for("the machine is gone", lambda: self.machines() == ([], []), 60)
        for kind, name, of in (("dnszone", "demo", "DNSZone"), ("cloud", "local", "Cloud")):
            wait_for(f"{kind} has no orphan", lambda kind=kind, name=name, of=of: self.orphans(kind, name, of) == 0, 60)
        foreign = {"name": "theirs.example.test.", "type": "A", "ttl": 60, "changetype": "REPLACE",
                   "records": [{"content": "192.0.2.99", "disabled": False}]}
        self.stage.powerdns_api("PATCH", "/zones/example.test.", {"rrsets": [foreign]})
        self.stage.apply(record("beside"))
        self.wait_ready("dnsrecord", "beside")
        self.assertEqual(self.dig("theirs.example.test"), ["192.0.2.99"], "what has no mark is no orphan")

    # --- gone for good

    def test_07_a_backend_gone_for_good_holds_its_objects_until_they_are_abandoned(self):
        self.stage.apply(record("stays"), record("beside"))
        self.wait_ready("dnsrecord", "stays")
        self.wait_ready("dnsrecord", "beside")
        self.stage.stop("powerdns", signal.SIGKILL)
        self.stage.kubectl("delete", "dnsrecord", "stays", "-n", "campus", "--wait=false")

        def blocked():
            told[:] = [self.condition("dnsrecord", "stays")]
            return told[0] if "Unreachable" in told[0]["reason"] else None

        told = []
        try:
            said = wait_for("its condition names what it waits for", blocked, READY)
        except StageError as error:
            self.fail(f"{error}: {told}")
        self.assertIn("demo", said["message"], "the zone")
        self.assertIsNotNone(self.stage.get("dnsrecord", "stays", "-n", "campus"))
        before = self.metric("ocim_abandoned_total", kind="dnsrecord")
        self.stage.kubectl("annotate", "dnsrecord", "stays", "-n", "campus", "ocim.opencraft.com/abandon=true")
        wait_for("it is let go", lambda: self.stage.get("dnsrecord", "stays", "-n", "campus") is None, 60)
        self.assertEqual(self.metric("ocim_abandoned_total", kind="dnsrecord"), before + 1)
        wait_for("an event tells of it", lambda: [e for e in self.events("Abandoned")
                                                  if e["regarding"]["name"] == "stays"], 60)
        self.assertIsNotNone(self.stage.get("dnsrecord", "beside", "-n", "campus"), "and nothing else")


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
