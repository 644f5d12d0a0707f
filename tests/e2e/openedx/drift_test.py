#!/usr/bin/python3
"""What is changed behind Ocim's back is put right and told of; what is not ours is left alone; a backend in trouble
troubles nobody else."""
import json
import signal
import time
import unittest

from case import DRIFT, READY, Scenario, wait_for


class Drift(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()

    def drifts(self, kind):
        return self.metric("ocim_drift_total", kind=kind) or self.metric("ocim_drift_total", controller=kind)

    def repaired(self, kind, change, is_right, seconds=DRIFT):
        """Changes something, and expects it right again, counted and told of."""
        before, told = self.drifts(kind), len(self.events("DriftDetected"))
        change()
        wait_for(f"{kind} is put right", is_right, seconds)
        wait_for("it is counted", lambda: self.drifts(kind) > before, 60)
        wait_for("an event tells of it", lambda: len(self.events("DriftDetected")) > told or any(
            e.get("series") for e in self.events("DriftDetected")), 60)

    def test_01_ready(self):
        self.wait_ready()
        self.wait_served()

    def test_02_a_record_changed_and_a_record_removed(self):
        name = "studio-demo.example.test"
        rrset = {"name": f"{name}.", "type": "CNAME", "ttl": 60, "changetype": "REPLACE",
                 "records": [{"content": "elsewhere.example.net.", "disabled": False}]}
        self.repaired("dnsrecord", lambda: self.stage.powerdns_api("PATCH", "/zones/example.test.", {"rrsets": [rrset]}),
                      lambda: self.dig(name, "CNAME") == ["lb.example.test."])
        gone = {"name": f"{name}.", "type": "CNAME", "changetype": "DELETE"}
        self.repaired("dnsrecord", lambda: self.stage.powerdns_api("PATCH", "/zones/example.test.", {"rrsets": [gone]}),
                      lambda: self.dig(name, "CNAME") == ["lb.example.test."])

    def test_03_a_grant_and_a_database(self):
        names = self.instance_status()["names"]
        user = names["mysqlUser"] + "_xqueue"

        def granted():
            # SHOW GRANTS also shows the password's hash
            return "xqueue`.*" in self.stage.sql(f"SHOW GRANTS FOR '{user}'@'%'").stdout.replace("\\_", "_").replace("\\", "")

        self.repaired("databasetenant", lambda: self.stage.sql(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{user}'@'%'"), granted)
        self.repaired("databasetenant", lambda: self.stage.sql(f"DROP DATABASE `{names['database']}_programs`"),
                      lambda: names["database"] + "_programs" in self.databases())

    def test_04_a_password(self):
        user = self.instance_status()["names"]["mysqlUser"] + "_notes"
        password = self.secret("demo-mysql", user)
        self.repaired("databasetenant", lambda: self.stage.sql(f"ALTER USER '{user}'@'%' IDENTIFIED BY 'other'"),
                      lambda: self.mariadb(user, password, "SELECT 1").returncode == 0)

    def test_05_a_permission_of_the_broker(self):
        names = self.instance_status()["names"]
        path = f"permissions/{names['vhost']}/{names['rabbitmqConsumer']}"

        def remove():
            import base64
            import urllib.request
            request = urllib.request.Request(f"http://127.0.0.1:{self.stage.facts['RABBITMQ_PORT']}/api/{path}", method="DELETE")
            login = base64.b64encode(f"ocim:{self.stage.facts['RABBITMQ_PASSWORD']}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
            urllib.request.urlopen(request, timeout=60).close()

        self.repaired("rabbitmqvhost", remove, lambda: self.stage.rabbitmq_api(path) is not None)

    def test_06_a_fragment(self):
        folder = self.stage.path("haproxy", "ocim", "current", "conf.d")
        fragment = next(p for p in folder.iterdir() if "demo" in p.name)
        wanted = fragment.read_text()
        self.repaired("loadbalancerfragment", lambda: fragment.write_text(wanted.replace("sessionid", "other")),
                      lambda: any("sessionid" in p.read_text() for p in folder.iterdir() if "demo" in p.name))
        self.wait_served()

    def test_07_a_machine(self):
        _, keepers = self.machines()
        self.repaired("virtualmachine", lambda: [__import__("os").kill(int(pid), signal.SIGKILL) for pid in keepers],
                      lambda: len(self.machines()[1]) > 0)
        self.wait_served()

    def test_07_the_record_of_a_run(self):
        """Removed or changed on the machine it comes back from the status; the playbook is not run again."""
        appserver = self.instance_status()["activeAppServers"][0]
        address = self.stage.get("appserver", appserver, "-n", "campus")["status"]["addresses"][0]
        run = self.stage.get("provisioningrun", f"{appserver}-1", "-n", "campus")
        folder = f"/var/lib/ocim/runs/{run['metadata']['uid']}"

        def record():
            return self.ssh(address, f"cat {folder}/exit {folder}/commit {folder}/started {folder}/mark").stdout

        def same():
            now = self.stage.get("provisioningrun", f"{appserver}-1", "-n", "campus")["status"]
            self.assertEqual(now["phase"], "Succeeded")
            self.assertEqual(self.stage.get("appserver", appserver, "-n", "campus")["status"]["phase"], "Running")
            return record() == wanted and self.condition("provisioningrun", f"{appserver}-1")["status"] == "True"

        wanted = record()
        installed = self.ssh(address, "stat -c %y /opt/site/settings.json").stdout
        # looked at once a minute, as its backend is the machine
        self.repaired("provisioningrun", lambda: self.ssh(address, "rm -rf /var/lib/ocim/runs"), same, 600)
        self.repaired("provisioningrun", lambda: self.ssh(address, f"echo 3 >{folder}/exit"), same, 600)
        self.assertEqual(self.ssh(address, f"ls {folder}/log").returncode, 2, "it did not run again")
        self.assertEqual(self.ssh(address, "stat -c %y /opt/site/settings.json").stdout, installed)
        self.ssh(address, f"echo 'i=other o=campus/x u=y' >{folder}/mark")
        wait_for("a folder that is not ours is told of", lambda: self.condition(
            "provisioningrun", f"{appserver}-1")["reason"] == "NotOwned", 600)
        self.assertEqual(self.ssh(address, f"cat {folder}/mark").stdout, "i=other o=campus/x u=y\n")
        self.wait_served()

    def test_07_monitors_are_there_again_after_a_crash(self):
        """The prober lives in Ocim: nobody else reaches it, but nothing of it outlives the process."""
        before = self.stage.get("monitor", "demo-lms", "-n", "campus")["status"]
        self.stage.kill("ocim")
        self.stage.start_ocim()
        wait_for("it is asked again", lambda: self.stage.get("monitor", "demo-lms", "-n", "campus")["status"].get(
            "lastProbe", "") > before.get("lastProbe", ""), 120)
        self.wait_ready("monitor", "demo-lms")
        wait_for("the metric is back", lambda: self.metric("ocim_probe_success", namespace="campus", name="demo-lms") == 1, 60)
        wait_for("each was found missing, and counted", lambda: self.drifts("monitor") == 3, 60)
        wait_for("an event tells of it", lambda: [e for e in self.events("DriftDetected")
                                                  if e["regarding"]["kind"] == "Monitor"], 60)

    def test_08_look_alikes_are_left_alone(self):
        rrset = {"name": "foreign.example.test.", "type": "A", "ttl": 60, "changetype": "REPLACE",
                 "records": [{"content": "192.0.2.99", "disabled": False}]}
        self.stage.powerdns_api("PATCH", "/zones/example.test.", {"rrsets": [rrset]})
        self.stage.sql("CREATE DATABASE foreign_db")
        self.stage.apply(
            {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": "foreign", "namespace": "campus"},
             "spec": {"zoneRef": {"name": "demo"}, "name": "foreign.example.test", "type": "A", "values": ["192.0.2.1"]}},
            {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DatabaseTenant",
             "metadata": {"name": "foreign", "namespace": "campus"},
             "spec": {"serverRef": {"name": "demo"}, "databases": [{"name": "foreign_db"}]}})
        for kind in ("dnsrecord", "databasetenant"):
            wait_for(f"{kind} says so", lambda kind=kind: self.condition(kind, "foreign")["reason"] == "NotOwned", DRIFT)
            self.assertEqual(self.condition(kind, "foreign", "Stalled")["status"], "True")
        self.assertEqual(self.dig("foreign.example.test"), ["192.0.2.99"])
        self.stage.kubectl("delete", "dnsrecord/foreign", "databasetenant/foreign", "-n", "campus", "--timeout=300s", seconds=330)
        self.assertEqual(self.dig("foreign.example.test"), ["192.0.2.99"])
        self.assertIn("foreign_db", self.databases())

    def test_09_a_backend_that_stands_still_troubles_only_its_own(self):
        powerdns = self.stage.processes["powerdns"]
        powerdns.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            record = {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord",
                      "metadata": {"name": "later", "namespace": "campus"},
                      "spec": {"zoneRef": {"name": "demo"}, "name": "later.example.test", "type": "A", "values": ["192.0.2.7"]}}
            self.stage.apply(record)
            tenant = {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DatabaseTenant",
                      "metadata": {"name": "beside", "namespace": "campus"},
                      "spec": {"serverRef": {"name": "demo"}, "databases": [{"name": "beside_db"}], "deletionPolicy": "Delete"}}
            self.stage.apply(tenant)
            self.wait_ready("databasetenant", "beside", seconds=60)
            wait_for("the record says what is wrong",
                     lambda: "Unreachable" in self.condition("dnsrecord", "later")["reason"], READY)
            print(f"told after {time.monotonic() - began:.1f} s")
        finally:
            powerdns.send_signal(signal.SIGCONT)
        self.wait_ready("dnsrecord", "later")
        self.assertEqual(self.dig("later.example.test"), ["192.0.2.7"])

    def test_10_refused_credentials_are_named_and_mended(self):
        self.stage.apply(self.stage.secret("powerdns", {"apiKey": "wrong"}))
        wait_for("the zone says so", lambda: "Auth" in self.condition("dnszone", "demo", namespace=None)["reason"], READY)
        self.stage.apply(self.stage.secret("powerdns", {"apiKey": self.stage.facts["POWERDNS_KEY"]}))
        self.wait_ready("dnszone", "demo", namespace=None)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
