#!/usr/bin/python3
"""A change of configuration while people visit: no request fails, and no server is shown before it answers."""
import collections
import http.client
import threading
import time
import unittest

from case import READY, Scenario, wait_for

START = 5  # seconds that the site takes to answer after its machine's reboot


class Visitors(threading.Thread):
    """One request every 20 ms through the load balancer, each on a connection of its own."""

    def __init__(self, port, host):
        super().__init__()
        self.port, self.host = port, host
        self.answers = collections.Counter()
        self.failures = []
        self.over = threading.Event()

    def visit(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", "/", headers={"Host": self.host})
            reply = connection.getresponse()
            body = reply.read().decode()
            if reply.status != 200:
                return f"status {reply.status}"
            self.answers[body.partition(" at ")[0]] += 1
            return None
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        finally:
            connection.close()

    def run(self):
        while not self.over.wait(0.02):
            failure = self.visit()
            if failure:
                self.failures.append((time.strftime("%H:%M:%S"), failure))

    def stop(self):
        self.over.set()
        self.join()


class Rollout(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()
        cls.patch("instance", "demo", {"spec": {"configuration": {"extraVars": {"DEMO_START_SECONDS": START}}}})

    def phases(self, name, seconds):
        """The phases that an AppServer goes through until it is in rotation."""
        seen = []

        def in_rotation():
            found = self.stage.get("appserver", name, "-n", "campus")
            status = (found or {}).get("status", {})
            if status.get("phase") and (not seen or seen[-1] != status["phase"]):
                seen.append(status["phase"])
            return any(c["type"] == "Active" and c["status"] == "True" for c in status.get("conditions", []))

        wait_for(f"{name} is in rotation", in_rotation, seconds)
        return seen

    def test_01_no_request_fails_while_a_new_server_takes_over(self):
        self.wait_ready()
        self.wait_served()
        first = self.stage.get("instance", "demo", "-n", "campus")["status"]["activeAppServers"][0]
        number = int(first.rpartition("-")[2])
        visitors = Visitors(self.stage.facts["HTTP_PORT"], "demo.example.test")
        visitors.start()
        try:
            wait_for("there are visitors", lambda: visitors.answers["Demo campus"] > 20, 30)
            for turn, name in enumerate(("Second name", "Third name"), start=1):
                self.patch("instance", "demo", {"spec": {"displayName": name}})
                phases = self.phases(f"demo-{number + turn}", READY)
                self.assertIn("Verifying", phases, "it was waited for")
                wait_for("they see the new name", lambda name=name: visitors.answers[name] > 20, 60)
                old = f"demo-{number + turn - 1}"
                wait_for("the old one is out of rotation",
                         lambda old=old: not self.stage.get("appserver", old, "-n", "campus")["spec"]["active"], 60)
                before = sum(visitors.answers.values())
                wait_for("visits go on", lambda before=before: sum(visitors.answers.values()) > before + 50, 60)
        finally:
            visitors.stop()
        print(f"{sum(visitors.answers.values())} requests: {dict(visitors.answers)}", flush=True)
        self.assertEqual(visitors.failures, [])

    def test_02_a_server_that_never_answers_is_not_shown(self):
        self.stage.kubectl("patch", "instanceclass", "demo", "--type=merge", "-p", '{"spec":{"healthCheck":{"timeoutSeconds":5}}}')
        before = self.stage.get("instance", "demo", "-n", "campus")["status"]["activeAppServers"]
        self.patch("instance", "demo", {"spec": {
            "displayName": "Never", "rollout": {"attempts": 1}, "configuration": {"extraVars": {"DEMO_START_SECONDS": 3600}}}})
        failed = wait_for("the new AppServer has failed", lambda: next(
            (a for a in self.stage.get("appservers", "-n", "campus")["items"]
             if a.get("status", {}).get("phase") == "ConfigurationFailed"), None), READY)
        ready = next(c for c in failed["status"]["conditions"] if c["type"] == "Ready")
        self.assertIn("port 80 of the machine did not answer as it should within 5 s", ready["message"])
        self.assertFalse(failed["spec"]["active"])
        self.assertEqual(self.stage.get("instance", "demo", "-n", "campus")["status"]["activeAppServers"], before)
        self.assertIn("Third name", self.page()[1])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
