#!/usr/bin/python3
"""Changes of the configuration while people visit: no request fails, whatever happens in the middle of it.

OCIM_SCALE=full makes ten rollouts instead of three. One of them is broken on purpose, and ocim is killed in others.
"""
import collections
import http.client
import json
import os
import signal
import threading
import time
import unittest

from case import READY, Scenario, wait_for

FULL = os.environ.get("OCIM_SCALE") == "full"
ROLLOUTS, BROKEN, KILLED = (10, 5, (2, 6, 8, 10)) if FULL else (3, 2, (3,))
LAST_BUT_ONE = max(turn for turn in range(1, ROLLOUTS) if turn != BROKEN)
HOST = "demo.example.test"
SLOW = "/?seconds=9"  # no server may go as long as it makes such a page


class Visitor(threading.Thread):
    """One request after another through the load balancer; `pause` s between them, on one connection if `stays`."""

    def __init__(self, port, pause, stays, page="/"):
        super().__init__()
        self.port, self.pause, self.stays, self.page = port, pause, stays, page
        self.answers, self.failures = collections.Counter(), []
        self.connection = None
        self.over = threading.Event()

    def visit(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            self.connection.request("GET", self.page, headers={"Host": HOST, **({} if self.stays else {"Connection": "close"})})
            reply = self.connection.getresponse()
            body = reply.read().decode()
            if reply.status != 200:
                return f"status {reply.status}"
            self.answers[body.partition(" at ")[0]] += 1
            if not self.stays:
                self.close()
            return None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return repr(error)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def run(self):
        while not self.over.wait(self.pause):
            failure = self.visit()
            if failure:
                self.failures.append((time.strftime("%H:%M:%S"), self.page, self.stays, self.pause, failure))
        self.close()


class Visitors:
    """People of several sorts: hurried ones, those who stay connected, those who think before they click again, and those
    whose page takes long."""

    def __init__(self, port):
        sorts = ((0.15, False), (0.2, False), (0.15, True), (0.5, True), (2.0, True), (2.7, True),
                 *(((0.1, False, SLOW),) * 4))
        self.all = [Visitor(port, *sort) for sort in sorts]

    def __enter__(self):
        for visitor in self.all:
            visitor.start()
        return self

    def __exit__(self, *_):
        for visitor in self.all:
            visitor.over.set()
        for visitor in self.all:
            visitor.join()

    def seen(self, name):
        """How many answers of that name there were, of each sort of visitor at least one, but the slow pages'."""
        counts = [visitor.answers[name] for visitor in self.all if visitor.page != SLOW]
        return sum(counts) if all(counts) else 0

    @property
    def answers(self):
        return sum((visitor.answers for visitor in self.all), collections.Counter())

    @property
    def failures(self):
        return [failure for visitor in self.all for failure in visitor.failures]


class Rollout(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()
        cls.have_patience(120)
        cls.configure("Name 0", keepFallbackFor=os.environ.get("OCIM_KEEP_FALLBACK", "1s"),
                      drainFor=os.environ.get("OCIM_DRAIN", "17s"), verifyFor="1s", attempts=1)

    @classmethod
    def have_patience(cls, seconds):
        """How long a new server may take to answer; on a busy host a good one takes a while as well."""
        cls.patch("instanceclass", "demo", {"spec": {"healthCheck": {"timeoutSeconds": seconds}}}, namespace=None)

    @classmethod
    def configure(cls, name, start=2, **rollout):
        cls.patch("instance", "demo", {"spec": {"displayName": name, "rollout": rollout,
                                                "configuration": {"extraVars": {"DEMO_START_SECONDS": start}}}})

    def rolled_out(self):
        return self.condition("instance", "demo", "RolledOut")

    def wait_stage(self, *reasons):
        return wait_for(f"the rollout is {reasons}", lambda: self.rolled_out()["reason"] in reasons, READY)

    def kill(self, turn):
        """In another moment each time."""
        if turn % 4 == 2:
            self.wait_stage("Provisioning")
        elif turn % 4 == 0:
            self.wait_stage("Verifying", "Activating")
        else:
            wait_for("there is a candidate", lambda: self.instance_status().get("candidateAppServers"), READY)
        self.stage.processes["ocim"].send_signal(signal.SIGKILL)
        self.stage.processes.pop("ocim").wait()
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
