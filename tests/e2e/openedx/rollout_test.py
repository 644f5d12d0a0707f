#!/usr/bin/python3
"""Changes of the configuration while people visit: no request fails, whatever happens in the middle of it.

OCIM_SCALE=full makes ten rollouts instead of three. One of them is broken on purpose, and ocim is killed in others.
"""
import json
import os
import time
import unittest

from case import READY, wait_for
from visitors import RolloutScenario, Visitors

FULL = os.environ.get("OCIM_SCALE") == "full"
ROLLOUTS, BROKEN, KILLED = (10, 5, (2, 6, 8, 10)) if FULL else (3, 2, (3,))
LAST_BUT_ONE = max(turn for turn in range(1, ROLLOUTS) if turn != BROKEN)


class Rollout(RolloutScenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()
        cls.have_patience(120)
        cls.configure("Name 0", keepFallbackFor=os.environ.get("OCIM_KEEP_FALLBACK", "1s"),
                      drainFor=os.environ.get("OCIM_DRAIN", "17s"), verifyFor="1s", attempts=1)

    def kill(self, turn):
        """In another moment each time."""
        if turn % 4 == 2:
            self.wait_stage("Provisioning")
        elif turn % 4 == 0:
            self.wait_stage("Verifying", "Activating")
        else:
            wait_for("there is a candidate", lambda: self.instance_status().get("candidateAppServers"), READY)
        self.stage.kill("ocim")
        self.stage.start_ocim()

    def break_it(self, visitors):
        """A server that never answers: those that serve go on, and the Instance says why."""
        before = self.instance_status()["activeAppServers"]
        self.have_patience(8)
        wait_for("the next server is given 8 s", lambda: json.loads(self.secret("demo-configuration", "settings.json"))[
            "healthCheck"]["timeoutSeconds"] == 8, READY)
        self.configure("Never", start=3600)
        self.wait_stage("GaveUp")
        told = self.rolled_out()
        self.assertEqual(told["status"], "False")
        self.assertIn("did not answer as it should within 8 s", told["message"])
        self.assertIn("those that served go on", told["message"])
        self.assertEqual(self.instance_status()["activeAppServers"], before)
        self.assertEqual(self.condition("instance", "demo")["status"], "True", "the site is served")
        self.assertEqual(visitors.seen("Never"), 0)
        self.have_patience(120)

    def take_over(self, turn, visitors):
        before = self.instance_status()["activeAppServers"]
        began = time.monotonic()
        self.configure(f"Name {turn}", **({"keepFallbackFor": "1h"} if turn == ROLLOUTS else {}))
        if turn in KILLED:
            self.kill(turn)
        wait_for("everybody sees the new name", lambda: visitors.seen(f"Name {turn}"), READY)
        if turn == ROLLOUTS:
            wait_for("there is a fallback", lambda: self.instance_status().get("fallbackAppServers") == before, READY)
        else:
            wait_for("the old one is gone", lambda: self.stage.get("appserver", before[0], "-n", "campus") is None, READY)
        self.wait_stage("RolledOut")
        print(f"rollout {turn}: {time.monotonic() - began:.0f} s{', ocim killed' if turn in KILLED else ''}", flush=True)
        return before

    def test_01_no_request_fails(self):
        self.wait_ready()
        self.wait_served()
        with Visitors(self.stage.facts["HTTP_PORT"]) as visitors:
            wait_for("there are visitors", lambda: visitors.seen("Name 0"), READY)
            for turn in range(1, ROLLOUTS + 1):
                if turn == BROKEN:
                    self.break_it(visitors)
                else:
                    fallback = self.take_over(turn, visitors)
            self.go_back(visitors, fallback)
        print(f"{sum(visitors.answers.values())} requests: {dict(visitors.answers)}", flush=True)
        self.assertEqual(visitors.failures, [])

    def go_back(self, visitors, fallback):
        """By hand, to what served before: nothing is provisioned."""
        name = f"Name {LAST_BUT_ONE}"
        made, had = self.instance_status()["appServersMade"], visitors.answers[name]
        began = time.monotonic()
        self.configure(name)
        wait_for("they see the name of before", lambda: visitors.answers[name] > had, READY)
        print(f"back in {time.monotonic() - began:.1f} s", flush=True)
        wait_for("the fallback serves alone", lambda: self.instance_status()["activeAppServers"] == fallback, READY)
        self.assertEqual(self.instance_status()["appServersMade"], made)

    def test_02_a_person_activates_and_deactivates(self):
        self.configure(f"Name {LAST_BUT_ONE}", strategy="Manual", drainFor="2s")
        other, = wait_for("there is a fallback", lambda: self.instance_status().get("fallbackAppServers"), READY)
        mine, = self.instance_status()["activeAppServers"]
        with Visitors(self.stage.facts["HTTP_PORT"]) as visitors:
            for name, active in ((other, True), (mine, False)):
                self.patch("appserver", name, {"spec": {"active": active}})
                wait_for(f"{name} is {'in' if active else 'out of'} rotation",
                         lambda name=name, active=active: (name in self.instance_status()["activeAppServers"]) == active, READY)
            wait_for("everybody is there", lambda: visitors.seen(f"Name {ROLLOUTS}"), READY)
        self.assertEqual(visitors.failures, [])
        self.assertEqual(self.rolled_out()["reason"], "Manual")
        self.assertEqual(self.instance_status()["activeAppServers"], [other])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
