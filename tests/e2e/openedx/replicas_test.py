#!/usr/bin/python3
"""A site that two AppServers serve together: both get visitors, two others take over from them together, and when one of
the new ones fails among visitors, those that served before go on."""
import datetime
import re
import unittest

from case import READY, ROOT, wait_for
from visitors import RolloutScenario, Visitors


class Replicas(RolloutScenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        site = cls.stage.manifests(ROOT / "manifests/samples/demo")
        for item in site:
            if item["kind"] == "InstanceClass":
                item["spec"]["healthCheck"] = {"timeoutSeconds": 120}
            if item["kind"] == "Instance":
                item["spec"].update(
                    displayName="Name 0", configuration={"extraVars": {"DEMO_EXTRA": "{{ lookup('pipe', 'hostname') }}"}},
                    rollout={"replicas": 2, "keepFallbackFor": "1s", "drainFor": "17s", "verifyFor": "1s", "attempts": 1})
        cls.stage.apply(*site)

    def active(self):
        return set(self.instance_status().get("activeAppServers", []))

    def address(self, name):
        address, = self.stage.get("appserver", name, "-n", "campus")["status"]["addresses"]
        return address

    def wait_serve(self, *names):
        """By what the pages say of the host that made them."""
        hosts = {self.ssh(self.address(name), "hostname").stdout.strip() for name in names}
        self.assertEqual(len(hosts), len(names))
        wait_for(f"{names} serve, and they alone", lambda: {self.host_of_page() for _ in range(10)} == hosts, READY)

    def host_of_page(self):
        return (re.search(r"^extra: +(\S+)", self.page()[1], re.M) or [None, ""])[1]

    def kill_site(self, name):
        """And sees that it was there, and is gone."""
        # the pattern does not match the shells that carry it
        killed = self.ssh(self.address(name), "pkill", "-e", "-f", "/[o]pt/site/site.py")
        self.assertIn("killed", killed.stdout, killed.stderr)
        wait_for("it is gone", lambda: self.ssh(self.address(name), "pgrep", "-f", "/[o]pt/site/site.py").returncode == 1, READY)

    def test_01_both_get_visitors(self):
        self.wait_ready()
        self.wait_stage("RolledOut")
        self.assertEqual(self.active(), {"demo-1", "demo-2"})
        self.wait_serve("demo-1", "demo-2")
        self.assertEqual(self.rolled_out()["message"], "demo-2, demo-1 serve")
        self.assertEqual(self.condition("instance", "demo", "Available")["message"], "2 active: demo-1, demo-2")

    def test_02_two_others_take_over_together(self):
        with Visitors(self.stage.facts["HTTP_PORT"]) as visitors:
            wait_for("there are visitors", lambda: visitors.seen("Name 0"), READY)
            self.configure("Name 1")
            wait_for("everybody sees the new name", lambda: visitors.seen("Name 1"), READY)
            wait_for("the old ones left", lambda: self.active() == {"demo-3", "demo-4"}, READY)
            self.wait_stage("RolledOut")
            self.wait_serve("demo-3", "demo-4")
        self.assertEqual(visitors.failures, [])
        for name in "demo-1", "demo-2":
            wait_for(f"{name} is gone", lambda name=name: self.stage.get("appserver", name, "-n", "campus") is None, READY)

    def test_03_those_that_served_go_on_when_a_new_one_fails_among_visitors(self):
        self.configure("Name 2", verifyFor="1h")
        self.wait_stage("Activating")
        wait_for("old and new serve together", lambda: self.active() == {f"demo-{n}" for n in (3, 4, 5, 6)}, READY)
        self.kill_site("demo-6")
        self.wait_stage("GaveUp")
        told = self.rolled_out()["message"]
        self.assertIn("demo-6", told)
        self.assertIn("it was put in rotation and failed there, so the others go on alone", told)
        wait_for("who served before serves alone", lambda: self.active() == {"demo-3", "demo-4"}, READY)
        self.wait_serve("demo-3", "demo-4")
        self.assertEqual(self.condition("instance", "demo")["status"], "True", "the site is served")

    def test_04_who_failed_and_is_mended_gets_another_chance_when_a_person_asks_for_one(self):
        self.configure("Name 2", verifyFor="1s")
        self.ssh(self.address("demo-6"), "setsid -f /usr/bin/python3 /opt/site/site.py >/dev/null 2>&1 </dev/null")
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.stage.kubectl("annotate", "instance", "demo", "-n", "campus", f"ocim.opencraft.com/reconcile-at={now}")
        wait_for("they serve, and they alone", lambda: self.active() == {"demo-5", "demo-6"}, READY)
        self.wait_stage("RolledOut")
        self.wait_serve("demo-5", "demo-6")
        self.assertEqual(self.instance_status()["appServersMade"], 6)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
