#!/usr/bin/python3
"""`ocim controller` twice, against an API server behind a door that misbehaves: one leads, nothing is lost or doubled by
what happens to its calls, and another takes over when it dies, stands still, loses its server or ends in order."""
import itertools
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "script"), str(ROOT / "tests")]
from stage import OCIM, Stage, StageError, wait_for  # noqa: E402
from support.api_proxy import ApiProxy, Faults  # noqa: E402
from support.late_door import LateDoor  # noqa: E402
from support.thread_held import ThreadHeld  # noqa: E402

DOMAIN = "example.test"
LEASE, RENEWED_EVERY = 15, 2  # s
TAKEN_OVER = 170  # ten times and more what the lease takes
SETTLED = 300
FAULTS = ("refused", "lost", "busy", "failing", "broken", "expired", "twice", "stale")


class OperatorMode(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        cls.stage = Stage(pathlib.Path(cls.folder.name) / "stage")
        cls.proxy = cls.dns = None
        try:
            cls.stage.start_powerdns(DOMAIN)
            cls.dns = LateDoor(cls.stage.facts["POWERDNS_PORT"]).__enter__()
            cls.stage.start_serve("api", "api_metrics", "--no-controllers")
            cls.proxy = ApiProxy(cls.stage.kubeconfig, cls.stage.path("proxy", "x").parent).__enter__()
            for name in "one", "two":
                cls.start(name)
            cls.declare_zone()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for name in reversed(list(cls.stage.processes)):
            cls.stage.stop(name, signal.SIGKILL)
        if cls.proxy:
            cls.proxy.__exit__()
        if cls.dns:
            cls.dns.__exit__()
        cls.folder.cleanup()

    @classmethod
    def start(cls, name):
        cls.stage.start(name, [OCIM, "controller", "--data-dir", cls.stage.path(name), "--kubeconfig", cls.proxy.kubeconfig,
                               "--metrics-listen", f"127.0.0.1:{cls.stage.port(name)}"])
        cls.stage.wait_until_up(name, lambda: cls.stage.is_ready(name))

    @classmethod
    def declare_zone(cls):
        facts = cls.stage.facts
        cls.stage.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}},
            cls.stage.secret("powerdns", {"apiKey": facts["POWERDNS_KEY"]}),
            {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSZone", "metadata": {"name": "zone"}, "spec": {
                "domain": DOMAIN, "powerdns": {"url": f"http://127.0.0.1:{cls.dns.port}"},
                "credentialsRef": {"name": "powerdns"}, "driftInterval": "10s"}})

    # --- what is declared, and what there is

    declared = {}

    def declare(self, **records):
        self.declared.update(records)
        self.stage.apply(*({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord",
                            "metadata": {"name": name, "namespace": "campus"},
                            "spec": {"zoneRef": {"name": "zone"}, "name": f"{name}.{DOMAIN}", "type": "A",
                                     "values": [address]}} for name, address in records.items()))

    def remove(self, *names):
        for name in names:
            del self.declared[name]
        self.stage.kubectl("delete", "dnsrecord", *names, "-n", "campus", "--wait=false")

    def served(self):
        zone = self.stage.powerdns_api("GET", f"/zones/{DOMAIN}.")
        return {item["name"].removesuffix(f".{DOMAIN}."): item["records"][0]["content"]
                for item in zone["rrsets"] if item["type"] == "A"}

    def settled(self):
        def ready(item):
            found = [c for c in item.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
            return found and found[0]["status"] == "True" and (
                found[0]["observedGeneration"] == item["metadata"]["generation"])
        items = self.stage.get("dnsrecord", "-n", "campus")["items"]
        return {item["metadata"]["name"] for item in items} == set(self.declared) and all(map(ready, items)) and (
            self.served() == self.declared)

    def wait_settled(self, seconds=SETTLED):
        try:
            wait_for("the world is as declared", self.settled, seconds)
        except StageError as error:
            told = self.stage.kubectl("get", "dnsrecord", "-n", "campus", check=False).stdout
            logs = "\n".join(self.stage.end_of_log(name) for name in ("one", "two"))
            self.fail(f"{error}\n{told}\n{self.served()}\n{logs}")

    # --- who leads

    def leads(self, name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.stage.port(name)}/metrics", timeout=5) as reply:
                return 'leader_election_master_status{name="ocim-controller"} 1' in reply.read().decode()
        except OSError:
            return False

    def leader(self):
        leaders = [name for name in ("one", "two") if self.leads(name)]
        self.assertLessEqual(len(leaders), 1)
        return leaders[0] if leaders else None

    def wait_leader(self, seconds=TAKEN_OVER):
        return wait_for("one of them leads", self.leader, seconds)

    def wait_for_end(self, name):
        """Its exit code, when it ends by itself."""
        process = self.stage.processes[name]
        wait_for(f"{name} ends", lambda: process.poll() is not None, TAKEN_OVER)
        return self.stage.stop(name)

    @staticmethod
    def other(name):
        return "two" if name == "one" else "one"

    def holder(self):
        return self.stage.get("lease", "ocim-controller", "-n", "ocim-system")["spec"]["holderIdentity"]

    # --- in this order

    def test_01_one_leads_and_the_other_is_ready(self):
        leader = self.wait_leader()
        self.assertTrue(self.stage.is_ready(self.other(leader)))
        self.declare(**{f"r{n}": f"192.0.2.{n}" for n in range(1, 21)})
        self.wait_settled()

    def test_02_nothing_is_lost_or_doubled_whatever_happens_to_its_calls(self):
        self.wait_leader()
        self.proxy.faults = Faults(refused=.05, lost=.05, busy=.1, failing=.05, broken=.05, expired=.03, twice=.1, stale=.3)
        for turn in range(1, 4):
            self.declare(**{f"r{n}": f"198.51.100.{n + turn}" for n in range(1, 21) if f"r{n}" in self.declared})
            self.declare(**{f"new{turn}-{n}": f"203.0.113.{n}" for n in range(1, 6)})
            self.remove(*[f"r{n}" for n in range(turn * 5 - 4, turn * 5)])
        turns = itertools.count()

        def all_have_struck():
            """What has not needs more to tell of: without changes there are no events."""
            self.declare(r20=f"198.51.100.{next(turns) % 250 + 1}")
            return all(self.proxy.told[fault] for fault in FAULTS)
        wait_for("each sort of fault has struck", all_have_struck, SETTLED)
        self.proxy.faults = Faults()
        self.wait_settled()
        self.assertEqual(self.proxy.told["early"], 0, "whoever was told when to come again")

    def test_03_another_takes_over_from_one_that_is_killed(self):
        leader = self.wait_leader()
        self.stage.stop(leader, signal.SIGKILL)
        self.declare(r20="192.0.2.120")
        self.assertEqual(self.wait_leader(), self.other(leader))
        self.wait_settled()
        self.start(leader)
        self.assertFalse(self.leads(leader))

    def test_04_one_that_stood_still_for_too_long_ends_and_does_nothing(self):
        leader = self.wait_leader()
        process = self.stage.processes[leader]
        process.send_signal(signal.SIGSTOP)
        held = self.holder()
        wait_for("the other took the lease", lambda: self.holder() not in ("", held), TAKEN_OVER)
        self.declare(r20="192.0.2.121")
        self.wait_settled()
        process.send_signal(signal.SIGCONT)
        self.assertEqual(self.wait_for_end(leader), 1)
        self.wait_settled()
        self.start(leader)

    def test_05_one_that_loses_its_server_ends_and_another_goes_on_when_it_is_back(self):
        leader = self.wait_leader()
        self.proxy.faults = Faults(stands_still=True)
        self.assertEqual(self.wait_for_end(leader), 1)
        self.declare(r20="192.0.2.122")
        self.proxy.faults = Faults()
        self.assertEqual(self.wait_leader(), self.other(leader))
        self.wait_settled()
        self.start(leader)

    def test_06_one_that_ends_in_order_lets_another_lead_at_once(self):
        leader = self.wait_leader()
        held = self.holder()
        self.assertEqual(self.stage.stop(leader), 0)
        self.assertNotEqual(self.holder(), held, "it was given up")
        self.assertEqual(self.wait_leader(), self.other(leader))
        self.declare(r20="192.0.2.123")
        self.wait_settled()

    def test_061_a_leader_is_deposed_in_the_middle_of_a_long_batch(self):
        """What it had sent lands when another leads, who has changed the same records meanwhile."""
        self.wait_settled()
        leader = self.wait_leader()
        names = [f"long{n}" for n in range(200)]
        first = {name: f"192.0.2.{n + 1}" for n, name in enumerate(names)}
        self.declare(**{name: first[name] for name in names[:20]})
        wait_for("some of them are there", lambda: set(names) & set(self.served()), 60)
        self.dns.keep_after(0)
        self.declare(**{name: first[name] for name in names[20:]})
        wait_for("a call is on its way", lambda: self.dns.kept, 60)
        done = set(names) & set(self.served())
        self.assertTrue(0 < len(done) < len(names), f"{len(done)} of {len(names)}: in the middle")
        process, held = self.stage.processes[leader], self.holder()
        process.send_signal(signal.SIGSTOP)
        wait_for("the other took the lease", lambda: self.holder() not in ("", held), TAKEN_OVER)
        self.dns.open()
        self.declare(**{name: f"198.51.100.{n % 250 + 1}" for n, name in enumerate(names)})
        self.wait_settled()
        self.assertEqual(set(self.dns.let_in()), {204}, "they land after all")
        served = self.served()  # before anybody looks for drift
        late = [name for name in names if served[name] != self.declared[name]]
        self.assertTrue(late, "and change what another has made")
        self.wait_settled()  # drift, as by anybody's hand
        process.send_signal(signal.SIGCONT)
        self.assertEqual(self.wait_for_end(leader), 1)
        self.wait_settled()
        sets = self.stage.powerdns_api("GET", f"/zones/{DOMAIN}.")["rrsets"]
        self.assertEqual([s["name"] for s in sets if s["type"] in ("A", "TXT") and len(s["records"]) != 1], [], "nothing is there twice")
        self.remove(*names)
        self.wait_settled()
        left = {s["name"] for s in self.stage.powerdns_api("GET", f"/zones/{DOMAIN}.")["rrsets"] if "long" in s["name"]}
        self.assertEqual(left, set(), "no mark of theirs stays either")
        self.start(leader)

    def watch_renewals(self, held):
        """More of them than fit into the time for which the lease lasts, and never another holder."""
        renewals = set()

        def enough():
            spec = self.stage.get("lease", "ocim-controller", "-n", "ocim-system")["spec"]
            self.assertEqual(spec["holderIdentity"], held)
            renewals.add(spec["renewTime"])
            return len(renewals) > 2 * LEASE / RENEWED_EVERY
        wait_for("it is renewed again and again", enough, 10 * LEASE)

    def test_062_it_goes_on_leading_while_its_loop_does_nothing(self):
        leader = self.wait_leader()
        held, process = self.holder(), self.stage.processes[leader]
        with ThreadHeld(process.pid):
            self.assertFalse(self.stage.is_ready(leader), "it is held")
            self.watch_renewals(held)
        self.declare(r20="192.0.2.124")
        self.wait_settled()
        self.assertIsNone(process.poll())
        self.assertEqual(self.holder(), held)

    def test_063_it_goes_on_leading_while_all_its_other_calls_wait_or_are_too_many(self):
        leader = self.wait_leader()
        held, process = self.holder(), self.stage.processes[leader]
        for address, faults in (("192.0.2.125", Faults(busy=1, spares="/leases/")),
                                ("192.0.2.126", Faults(stands_still=True, spares="/leases/"))):
            self.proxy.faults = faults
            self.declare(**{f"wait{n}": address for n in range(50)})
            self.proxy.cut()  # it has watches and calls to begin anew
            self.watch_renewals(held)
            self.proxy.faults = Faults()
            self.wait_settled()
            self.assertIsNone(process.poll())
            self.assertEqual(self.holder(), held)
        self.remove(*[f"wait{n}" for n in range(50)])
        self.wait_settled()

    def test_07_machines_are_made_on_no_host_of_a_controller_that_was_not_told_to(self):
        self.wait_leader()
        self.stage.apply({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Cloud", "metadata": {"name": "here"},
                          "spec": {"local": {"subnet": "10.213.255.0/24"}}})

        def said():
            found = self.stage.get("cloud", "here").get("status", {}).get("conditions", [])
            return next((c["message"] for c in found if c["type"] == "Stalled" and c["status"] == "True"), "")
        self.assertRegex(wait_for("the Cloud says so", said, 60), "^Unsupported: spec.local .*--local-machines$")
        self.stage.kubectl("delete", "cloud", "here", "--timeout=60s")

    def test_08_the_help_says_how(self):
        run = subprocess.run([OCIM, "controller"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 2)
        self.assertIn("--data-dir", run.stderr)
        run = subprocess.run([OCIM, "controller", "--data-dir", self.stage.path("none")], capture_output=True, text=True,
                             timeout=60, env={"PATH": "/usr/bin:/bin"})
        self.assertEqual(run.returncode, 2)
        self.assertIn("KUBERNETES_SERVICE_HOST is not set); give --kubeconfig FILE", run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)  # one may leave a leader that stands still
