#!/usr/bin/python3
"""Ocim is killed at random moments while an Instance is made and while it is deleted: after each restart it goes on, and
nothing is doubled or left.

OCIM_SCALE=full kills 50 times instead of 10. OCIM_SEED repeats a run's moments.
"""
import os
import random
import time
import unittest

from case import READY, Scenario, wait_for

KILLS = 50 if os.environ.get("OCIM_SCALE") == "full" else 10


class Crash(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seed = int(os.environ.get("OCIM_SEED", random.randrange(1 << 30)))
        print(f"OCIM_SEED={cls.seed}", flush=True)
        cls.random = random.Random(cls.seed)

    def kill_and_restart(self):
        self.stage.kill("ocim")
        self.stage.start_ocim()

    def kill_while(self, is_done, kills):
        """Kills up to `kills` times at random moments, until `is_done`."""
        done = 0
        while done < kills and not is_done():
            time.sleep(self.random.uniform(0.05, 4.0))  # the moment of the crash, not a wait for anything
            self.kill_and_restart()
            done += 1
        return done

    def test_converges_whenever_it_is_killed(self):
        left, rounds = KILLS, 0
        while left > 0:
            rounds += 1
            with self.subTest(round=rounds):
                self.declare_site()
                left -= self.kill_while(lambda: self.condition("instance", "demo")["status"] == "True", max(1, (left + 1) // 2))
                self.wait_ready(seconds=READY)
                self.wait_served()
                self.check_nothing_is_doubled()
                self.patch("instance", "demo", {"spec": {"deletionPolicy": "Delete"}})
                self.stage.kubectl("delete", "instance", "demo", "-n", "campus", "--wait=false")
                left -= self.kill_while(lambda: self.stage.get("instance", "demo", "-n", "campus") is None, max(1, left // 2))
                wait_for("it is gone", lambda: self.stage.get("instance", "demo", "-n", "campus") is None, READY)
                self.check_nothing_is_left()

    def check_nothing_is_doubled(self):
        folders, keepers = self.machines()
        self.assertEqual(len(folders), 1, folders)
        self.assertEqual(len(keepers), 1, keepers)
        names = self.instance_status()["names"]
        self.assertEqual(len(self.databases()), 11)
        users = [u["name"] for u in self.stage.rabbitmq_api("users") if u["name"] != "ocim"]
        self.assertEqual(sorted(users), sorted([names["rabbitmqProvider"], names["rabbitmqConsumer"]]))
        self.assertEqual(len([v for v in self.stage.rabbitmq_api("vhosts") if v["name"] != "/"]), 1)
        zone = self.stage.powerdns_api("GET", "/zones/example.test.")
        self.assertEqual(len([r for r in zone["rrsets"] if r["type"] in ("A", "CNAME")]), 6)
        address = self.stage.get("appserver", "demo-1", "-n", "campus")["status"]["addresses"][0]
        runs = self.ssh(address, "ls /var/lib/ocim/runs | wc -l; grep -c '^PLAY RECAP' /var/lib/ocim/runs/*/log").stdout.split()
        self.assertEqual(runs, ["1", "1"], "the playbook ran once")

    def check_nothing_is_left(self):
        self.assertEqual(self.machines(), ([], []))
        self.assertEqual(self.databases(), set())
        self.assertEqual([u["name"] for u in self.stage.rabbitmq_api("users") if u["name"] != "ocim"], [])
        self.assertEqual([v["name"] for v in self.stage.rabbitmq_api("vhosts") if v["name"] != "/"], [])
        zone = self.stage.powerdns_api("GET", "/zones/example.test.")
        self.assertEqual([r["name"] for r in zone["rrsets"] if r["type"] in ("A", "CNAME", "TXT")], [])
        users = self.stage.sql("SELECT User FROM mysql.user WHERE User LIKE 'demo%'").stdout.split()
        self.assertEqual(users, [])
        fragments = self.stage.path("haproxy", "ocim", "current", "conf.d")
        self.assertEqual([p.name for p in fragments.iterdir()], [])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
