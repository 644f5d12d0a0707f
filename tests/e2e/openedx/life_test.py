#!/usr/bin/python3
"""Archiving and coming back, deleting with data kept and with data gone, and names that are taken."""
import unittest

from case import READY, Scenario, wait_for


class Life(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()

    def wait_gone(self, kind, name):
        wait_for(f"{kind} {name} is gone", lambda: self.stage.get(kind, name, "-n", "campus") is None, READY)

    def test_01_archived_keeps_the_data_and_comes_back(self):
        self.wait_ready()
        self.wait_served()
        names = self.instance_status()["names"]
        self.patch("instance", "demo", {"spec": {"archived": True}})
        wait_for("it is archived", lambda: self.condition("instance", "demo")["reason"] == "Archived", READY)
        wait_for("no machine is left", lambda: self.machines() == ([], []), 60)
        self.assertEqual(self.dig("demo.example.test", "CNAME"), [])
        self.assertEqual(self.dig("vm1.demo.example.test"), [])
        self.assertEqual(self.page()[0], 404)
        self.assertEqual(len(self.databases()), 11)
        self.patch("instance", "demo", {"spec": {"archived": False}})
        wait_for("it serves again", lambda: self.condition("instance", "demo")["reason"] == "Serving", READY)
        body = self.wait_served()
        self.assertNotIn("visit 1\n", body, "the visits of the time before are remembered")
        self.assertEqual(self.instance_status()["names"], names)

    def test_02_deleting_keeps_data_and_a_new_one_finds_it(self):
        names = self.instance_status()["names"]
        self.stage.kubectl("delete", "instance", "demo", "-n", "campus", "--timeout=300s", seconds=330)
        self.assertEqual(self.machines(), ([], []))
        for kind in ("appservers", "virtualmachines", "provisioningruns", "dnsrecords", "loadbalancerfragments", "monitors",
                     "databasetenants", "rabbitmqvhosts"):
            self.assertEqual(self.stage.get(kind, "-n", "campus")["items"], [], kind)
        self.assertEqual(self.dig("demo.example.test", "CNAME"), [])
        self.assertEqual(len(self.databases()), 11, "data is kept by default")
        self.assertIn(names["vhost"], [v["name"] for v in self.stage.rabbitmq_api("vhosts")])
        self.declare_site()
        self.wait_ready()
        self.assertEqual(self.instance_status()["names"], names)
        self.assertNotIn("visit 1\n", self.wait_served())

    def test_03_a_name_that_is_taken_or_reserved_is_refused(self):
        taken = self.instance("other", subdomain="demo")
        reserved = self.instance("other", subdomain="www")
        for item, words in ((taken, ["spec.subdomain", "demo"]), (reserved, ["spec.subdomain", "reserved"])):
            why = self.refusal(item)
            for word in words:
                self.assertIn(word, why)
        self.assertIsNone(self.stage.get("instance", "other", "-n", "campus"))

    def test_04_control_characters_are_refused_by_name(self):
        nasty = ["a\nb", "a\"b", "a'b", "a`b", "a\x00b", "a\x07b", "a b", "a;b", "A", "ü", "-a", "a."]
        for text in nasty:
            item = self.instance("other", subdomain=text)
            run = self.stage.kubectl("apply", "-f", "-", input=__import__("json").dumps(item), check=False)
            self.assertNotEqual(run.returncode, 0, repr(text))
            self.assertIn("spec.subdomain", run.stderr, repr(text))
        for field, value in (("release", "a\nb"), ("domains", {"lms": "a b.example.com"}), ("email", "a\n@b"),
                             ("platform", {"commit": "$(id)"})):
            run = self.stage.kubectl("apply", "-f", "-", check=False,
                                     input=__import__("json").dumps(self.instance("other", subdomain="ok", **{field: value})))
            self.assertNotEqual(run.returncode, 0, field)
            self.assertIn(f"spec.{field}", run.stderr)
        self.assertIsNone(self.stage.get("instance", "other", "-n", "campus"))

    def test_05_deleting_with_data_leaves_nothing(self):
        names = self.instance_status()["names"]
        self.patch("instance", "demo", {"spec": {"deletionPolicy": "Delete"}})
        self.stage.kubectl("delete", "instance", "demo", "-n", "campus", "--timeout=300s", seconds=330)
        self.assertEqual(self.databases(), set())
        users = self.stage.sql(f"SELECT User FROM mysql.user WHERE User LIKE '{names['mysqlUser']}%'").stdout.split()
        self.assertEqual(users, [])
        self.assertNotIn(names["vhost"], [v["name"] for v in self.stage.rabbitmq_api("vhosts")])
        self.assertFalse([u for u in self.stage.rabbitmq_api("users") if u["name"].startswith(names["vhost"])])
        self.assertEqual([s["metadata"]["name"] for s in self.stage.get("secrets", "-n", "campus")["items"]
                          if s["metadata"]["name"].startswith("demo-")], [])
        self.assertEqual(self.machines(), ([], []))


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
