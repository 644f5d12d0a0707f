#!/usr/bin/python3
"""A site's passwords for MariaDB and RabbitMQ are replaced while it serves: every machine logs in all the time, as long as
there is an AppServer that has its passwords, also when ocim is killed in the middle."""
import base64
import json
import threading
import time
import unittest
import urllib.request

from case import READY, Scenario, wait_for


class Client(threading.Thread):
    """Asks one machine for its page without end; each page logs in to the database and to the broker anew."""

    def __init__(self, address, login):
        super().__init__(daemon=True)
        self.request = urllib.request.Request(f"http://{address}/", headers={"Authorization": "Basic " + login})
        self.pages, self.failures, self.over = 0, [], threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            with urllib.request.urlopen(self.request, timeout=30) as reply:
                page = reply.read().decode()
            self.pages += 1
            if "database: ok" not in page or "broker:   ok" not in page:
                self.failures.append((time.strftime("%H:%M:%S"), page))


class Passwords(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()
        cls.roll(keepFallbackFor="1h", drainFor="1s", verifyFor="1s")
        cls.clients = {}

    @classmethod
    def roll(cls, **rollout):
        cls.patch("instance", "demo", {"spec": {"rollout": rollout}})

    def ask(self):
        time.sleep(1)  # times have no fractions
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.stage.kubectl("annotate", "instance", "demo", "-n", "campus", "--overwrite", f"ocim.opencraft.com/rotate-at={now}")

    def stands(self, *reasons, seconds=READY):
        try:
            return wait_for(f"PasswordsReplaced is {reasons}", lambda: next(
                (said for said in [self.condition("instance", "demo", "PasswordsReplaced")] if said["reason"] in reasons), None),
                seconds)
        except Exception:
            self.fail(self.stage.kubectl("describe", "instance", "demo", "-n", "campus").stdout)

    def connect(self, name):
        """From now on the machine of that AppServer is a client."""
        address = self.stage.get("appserver", name, "-n", "campus")["status"]["addresses"][0]
        login = ":".join(self.secret("demo-basic-auth", key) for key in ("username", "password"))
        self.clients[name] = Client(address, base64.b64encode(login.encode()).decode())
        self.clients[name].start()
        wait_for(f"{name} asks", lambda: self.clients[name].pages > 2, 60)

    def disconnect(self, name):
        client = self.clients.pop(name)
        self.assertTrue(client.is_alive(), "it always got an answer")
        client.over.set()
        client.join(60)
        self.assertEqual(client.failures, [])
        self.assertGreater(client.pages, 10)

    def snapshot(self, name):
        """What a machine was given: (user, password) of the LMS in the database, and of the broker."""
        text = self.secret(f"{name}-config", "variables.yml")
        lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        value = {key.strip('"'): rest.removeprefix("!unsafe ") for key, rest in lines.items()}
        return [json.loads(value[key]) for key in
                ("EDXAPP_MYSQL_USER", "EDXAPP_MYSQL_PASSWORD", "EDXAPP_CELERY_USER", "EDXAPP_CELERY_PASSWORD")]

    def lets_in(self, given):
        return self.mariadb(given[0], given[1], "SELECT 1").returncode == 0

    def broker_users(self):
        vhost = self.instance_status()["names"]["vhost"]
        return sorted(p["user"] for p in self.stage.rabbitmq_api("permissions") if p["vhost"] == vhost and p["user"] != "ocim")

    def kill_ocim(self):
        self.stage.kill("ocim")
        self.stage.start_ocim()

    def test_1_a_person_switches(self):
        self.wait_ready()
        self.wait_served()
        self.connect("demo-1")
        type(self).first = self.snapshot("demo-1")
        type(self).users = self.broker_users()
        self.assertEqual(self.condition("instance", "demo", "PasswordsReplaced")["status"], "Unknown", "nobody asked")
        self.roll(activation="Manual")
        self.ask()
        said = self.stands("SwitchAwaited")
        self.assertIn("demo-2 runs as release candidate", said["message"])
        self.assertIn("demo-1", said["message"])
        second = self.snapshot("demo-2")
        self.assertNotEqual(second[1], self.first[1])
        self.assertEqual(second[2], self.first[2] + "-2")
        self.assertNotEqual(second[3], self.first[3])
        self.assertTrue(self.lets_in(self.first) and self.lets_in(second), "both are let in")
        self.assertEqual(self.broker_users(), sorted(self.users + [user + "-2" for user in self.users]))
        self.assertEqual(self.instance_status()["activeAppServers"], ["demo-1"])
        self.connect("demo-2")
        self.kill_ocim()
        self.roll(activation="Automatic")
        wait_for("demo-2 serves", lambda: self.instance_status()["activeAppServers"] == ["demo-2"], READY)
        self.wait_served()
        said = self.stands("FormerInUse")
        self.assertIn("gone: demo-1", said["message"])
        self.assertTrue(self.lets_in(self.first), "the fallback's are")
        self.wait_ready()

    def test_2_the_former_ones_end_with_who_has_them(self):
        self.disconnect("demo-1")
        self.stage.kubectl("delete", "appserver", "demo-1", "-n", "campus", "--wait=false")
        while not (over := self.stage.get("appserver", "demo-1", "-n", "campus") is None):
            if not self.lets_in(self.first):
                self.assertIsNone(self.stage.get("appserver", "demo-1", "-n", "campus"), "it is refused and still there")
        self.assertTrue(over)
        self.stands("Replaced")
        self.assertEqual(self.condition("instance", "demo", "PasswordsReplaced")["status"], "True")
        self.assertFalse(self.lets_in(self.first))
        self.assertEqual(self.broker_users(), sorted(user + "-2" for user in self.users))
        self.assertEqual([key for key in self.stage.get("secret", "demo-mysql", "-n", "campus")["data"]
                          if key.endswith((".next", ".previous"))], [])
        self.wait_ready()
        self.assertEqual(len(self.events("PasswordsReplaced")), 1)

    def test_3_and_by_itself_whenever_ocim_is_killed(self):
        self.roll(keepFallbackFor="20s")
        self.ask()
        for reasons in (("LettingIn", "Replacing", "RollingOut"), ("RollingOut",)):
            self.stands(*reasons)
            self.kill_ocim()
        # who is killed between counting an AppServer and making it leaves a number out
        newest = wait_for("another serves", lambda: next(
            (names[0] for names in [self.instance_status()["activeAppServers"]] if len(names) == 1 and names != ["demo-2"]), None),
            READY)
        type(self).newest = newest
        self.connect(newest)
        self.disconnect("demo-2")
        self.kill_ocim()
        self.stands("Replaced")
        self.assertIsNone(self.stage.get("appserver", "demo-2", "-n", "campus"))
        self.assertEqual(self.broker_users(), self.users, "it is the first one's turn again")
        third = self.snapshot(newest)
        self.assertTrue(self.lets_in(third))
        self.assertEqual((third[0], third[2]), (self.first[0], self.first[2]))
        self.assertNotEqual(third[3], self.first[3])
        self.wait_ready()
        made = self.stage.get("appserver", "-n", "campus")["items"]
        self.assertEqual([item["metadata"]["name"] for item in made], [newest])
        self.disconnect(newest)

    def test_4_no_password_is_told(self):
        told = self.stage.kubectl("get", "ocim", "-A", "-o", "yaml").stdout
        told += self.stage.kubectl("get", "events.events.k8s.io", "-A", "-o", "yaml").stdout
        told += self.stage.metrics() + self.stage.path("log", "ocim.log").read_text()
        for secret in (*self.first[1::2], *self.snapshot(self.newest)[1::2], self.secret("demo-secrets", "mysqlKey")):
            self.assertNotIn(secret, told)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
