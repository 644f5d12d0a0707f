#!/usr/bin/python3
"""Ocim is killed with kill -9 at sampled calls that change the cloud, while sites are launched, rolled out and deleted,
in one world that goes on: nothing of the cloud is doubled or left, by OpenStack's own lists.

OCIM_SCALE=full: ten sites and 20 kills instead of three and five. OCIM_SEED repeats a run's choices.
"""
import os
import random
import signal
import unittest

from killing_door import KillingDoor
from world import READY, Project, World, until

FULL = os.environ.get("OCIM_SCALE") == "full"
SITES = 10 if FULL else 3
# how many kills, and at most how many changes apart
LAUNCH, ROLLOUT, DELETION = ((7, 5), (7, 7), (6, 3)) if FULL else ((2, 4), (2, 5), (1, 3))


class Crash(World):
    floating = True

    @classmethod
    def setUpClass(cls):
        cls.seed = int(os.environ.get("OCIM_SEED", random.randrange(1 << 30)))
        print(f"OCIM_SEED={cls.seed}", flush=True)
        cls.random = random.Random(cls.seed)
        cls.door = None
        cls.of_region = []  # below Keystone, the last one made first
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for what in cls.of_region:
            cls.admin.api.call("DELETE", f"{cls.place['authURL']}/{what}")
        if cls.door:
            cls.door.close()

    @classmethod
    def kill(cls):
        cls.stage.processes["ocim"].send_signal(signal.SIGKILL)

    @classmethod
    def region(cls):
        """One of its own, whose catalog leads through our door."""
        cls.door = KillingDoor({name: cls.place["ports"][name] for name in ("nova", "neutron")}, cls.kill)
        cls.admin = admin = Project(cls.place, cls.place["admin"])
        root, region = cls.place["authURL"], f"door-{os.getpid()}"
        admin.api.call("POST", f"{root}/regions", {"region": {"id": region}})
        cls.of_region.append(f"regions/{region}")
        for service in admin.list(f"{root}/services", "services"):
            path = {"compute": f"{cls.door.port('nova')}/v2.1", "network": f"{cls.door.port('neutron')}",
                    "image": f"{cls.place['ports']['glance']}"}.get(service["type"])
            if path:
                made = admin.api.make(f"{root}/endpoints", "endpoint", interface="public", region_id=region,
                                      url=f"http://127.0.0.1:{path}", service_id=service["id"])
                cls.of_region.insert(0, f"endpoints/{made['id']}")
        return region

    # --- the world

    def sites(self, **spec):
        return [self.instance(f"site-{n}", rollout={"strategy": "Automatic", "keepFallbackFor": "1s"}, **spec)
                for n in range(SITES)]

    def run_and_kill(self, what, kills, done, seconds):
        """Until `done`, with so many kills on the way; one that finds nothing to do any more is not waited for."""
        left, apart = kills

        def arm():
            nonlocal left
            if left:
                left -= 1
                self.door.arm(self.random.randint(1, apart))

        def look():
            if self.stage.processes["ocim"].poll() is not None:
                self.stage.bury("ocim")
                self.stage.start_ocim()
                arm()
            return self.stage.kubectl("version", check=False).returncode == 0 and done()

        arm()
        try:
            until(what, lambda: self.guarded(look), seconds)
        except AssertionError as error:
            told = self.stage.kubectl("get", "instances,appservers,ovm,osg,provisioningruns", "-A", check=False).stdout
            self.fail(f"{error}\n{self.door.killed_at}\n{told}\n{self.hosts.trouble[-5:]}\n"
                      f"{self.stage.end_of_log('ocim')}")
        self.door.due = None
        if self.stage.processes["ocim"].poll() is not None:  # at the very last
            self.stage.bury("ocim")
            self.stage.start_ocim()

    @staticmethod
    def guarded(look):
        try:
            return look()
        except Exception as error:  # it was killed while kubectl asked
            if type(error).__name__ not in ("StageError", "TimeoutExpired"):
                raise
            return None

    def active(self):
        listed = self.stage.get("instances", "-n", "campus")["items"]
        return sorted(name for item in listed for name in item.get("status", {}).get("activeAppServers", [])
                      if any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"]["conditions"]))

    def one_serves_each(self):
        """Whatever its number: one that was only counted when the program died is never made."""
        return [name.rsplit("-", 1)[0] for name in self.active()] == sorted(f"site-{n}" for n in range(SITES))

    def exactly(self, appservers):
        """One machine for each, with one port and one address, and one group for all."""
        def settled():
            return sorted(s["metadata"].get("ocim-name") for s in self.project.servers()) == appservers
        until("the old machines are gone", settled, READY)
        servers = self.project.servers()
        self.assertEqual(sorted(port["device_id"] for port in self.project.ports()), sorted(s["id"] for s in servers))
        until("no address leads nowhere", lambda: len(self.project.addresses()) == len(servers), READY)
        ports = {port["id"]: port["device_id"] for port in self.project.ports()}
        held = sorted(ports[address["port_id"]] for address in self.project.addresses())
        self.assertEqual(held, sorted(s["id"] for s in servers))
        self.assertEqual([g["name"] for g in self.project.groups()], ["ocim-stack"])
        self.assertEqual(self.hosts.doubled, [])

    def test_nothing_is_doubled_or_left_whenever_it_is_killed(self):
        seconds = READY + 60 * SITES
        self.stage.apply(*self.sites())
        self.run_and_kill("every site serves", LAUNCH, self.one_serves_each, seconds)
        first = self.active()
        self.exactly(first)

        self.stage.apply(*self.sites(displayName="The second"))

        def rolled_out():
            left = [a["metadata"]["name"] for a in self.stage.get("appservers", "-n", "campus")["items"]]
            return self.one_serves_each() and not set(self.active()) & set(first) and sorted(left) == self.active()
        self.run_and_kill("every site is rolled out", ROLLOUT, rolled_out, 2 * seconds)
        self.exactly(self.active())

        self.stage.kubectl("delete", "instances", "--all", "-n", "campus", "--wait=false")
        self.run_and_kill("every site is gone", DELETION,
                          lambda: self.stage.get("instances", "-n", "campus")["items"] == [], seconds)
        self.stage.kubectl("delete", "instanceclass", "stack", "--timeout=120s", seconds=150)
        until("its group is gone", lambda: self.project.groups() == [], READY)
        self.nothing_is_left()
        self.assertEqual(self.hosts.doubled, [])
        print(f"{self.door.changes} changes of the cloud, killed {self.door.kills} times: "
              + "; ".join(self.door.killed_at), flush=True)
        self.assertGreaterEqual(self.door.kills, 20 if FULL else 3)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
