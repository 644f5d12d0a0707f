#!/usr/bin/python3
"""A declared Instance becomes a working site; each fact is checked with another program than ours."""
import base64
import json
import subprocess
import unittest
import urllib.request

from case import READY, Scenario, free_port, wait_for


class MainJob(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()

    def test_01_becomes_ready(self):
        self.wait_ready()
        for condition in ("DatabasesReady", "BrokerReady", "LoadBalancerReady", "DNSReady", "MonitoringReady", "Available"):
            self.assertEqual(self.condition("instance", "demo", condition)["status"], "True", condition)

    def test_02_the_site_is_served_through_the_load_balancer(self):
        body = self.wait_served()
        self.assertIn("Demo campus at demo.example.test", body)

    def test_03_the_server_itself_wants_a_password(self):
        address = self.stage.get("appserver", "demo-1", "-n", "campus")["status"]["addresses"][0]
        direct = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}/"],
                                capture_output=True, text=True)
        self.assertEqual(direct.stdout, "401", "without the header")
        wrong = self.curl("demo.example.test", "-u", "somebody:else")
        self.assertTrue(wrong.stdout.endswith("401"), "a visitor's own header is not replaced")
        user, password = (self.secret("demo-basic-auth", key) for key in ("username", "password"))
        own = self.curl("demo.example.test", "-H",
                        "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
        self.assertTrue(own.stdout.endswith("200"))

    def test_04_every_name_resolves(self):
        for prefix in ("", "studio-", "preview-", "discovery-", "ecommerce-"):
            self.assertEqual(self.dig(f"{prefix}demo.example.test", "CNAME"), ["lb.example.test."])
        address = self.stage.get("appserver", "demo-1", "-n", "campus")["status"]["addresses"]
        self.assertEqual(self.dig("vm1.demo.example.test"), address)

    def test_05_the_databases_are_the_tenants(self):
        names = self.instance_status()["names"]
        self.assertEqual(len(self.databases()), 11)
        user = names["mysqlUser"] + "_edxapp"
        password = self.secret("demo-mysql", user)
        own = names["database"] + "_edxapp"
        made = self.mariadb(user, password, "CREATE TABLE t (i INT); INSERT INTO t VALUES (42); SELECT i FROM t", own)
        self.assertEqual(made.stdout.strip(), "42", made.stderr)
        other = self.mariadb(user, password, "SELECT 1", names["database"] + "_xqueue")
        self.assertNotEqual(other.returncode, 0, "another service's database is closed")
        reader = names["mysqlUser"] + "_read_only"
        password = self.secret("demo-mysql", reader)
        self.assertEqual(self.mariadb(reader, password, "SELECT i FROM t", own).stdout.strip(), "42")
        self.assertNotEqual(self.mariadb(reader, password, "INSERT INTO t VALUES (1)", own).returncode, 0,
                            "read-only is read-only")

    def test_06_the_vhost_and_its_users_are_there(self):
        names = self.instance_status()["names"]
        self.assertIn(names["vhost"], [v["name"] for v in self.stage.rabbitmq_api("vhosts")])
        permissions = self.stage.rabbitmq_api("permissions")
        for user in (names["rabbitmqProvider"], names["rabbitmqConsumer"]):
            self.assertIn((names["vhost"], user), [(p["vhost"], p["user"]) for p in permissions])

    def test_07_the_machine_is_reached_by_ssh_and_knows_no_host(self):
        address = self.stage.get("appserver", "demo-1", "-n", "campus")["status"]["addresses"][0]
        self.assertEqual(self.ssh(address, "hostname").stdout.strip(), self.machines()[0][0])
        self.assertEqual(self.ssh(address, "stat -c %a /var/lib/ocim/runs/*/variables.yml").stdout.strip(), "600")
        self.assertEqual(self.ssh(address, "ls /root /home /srv /mnt | grep -v :").stdout.strip(), "")

    def test_08_monitors_see_it(self):
        for name in ("demo-lms", "demo-studio", "demo-preview"):
            wait_for(f"monitor {name} is up",
                     lambda name=name: self.stage.get("monitor", name, "-n", "campus")["status"].get("up"), READY)
        wait_for("the metric says so", lambda: self.metric("ocim_probe_success", name="demo-lms") == 1, 60)

    def test_09_no_secret_is_where_it_does_not_belong(self):
        names = self.instance_status()["names"]
        secrets = [self.secret("demo-mysql", names["mysqlUser"] + "_edxapp"), self.secret("demo-basic-auth", "password"),
                   self.secret("demo-secrets", "masterKey"), self.stage.facts["MYSQL_ADMIN_PASSWORD"],
                   self.stage.facts["RABBITMQ_PASSWORD"], self.stage.facts["POWERDNS_KEY"]]
        told = self.stage.kubectl("get", "ocim", "-A", "-o", "yaml").stdout
        told += self.stage.kubectl("get", "events.events.k8s.io", "-A", "-o", "yaml").stdout
        told += self.stage.metrics() + self.stage.told()
        for secret in secrets:
            self.assertNotIn(secret, told)

    def test_10_metrics_are_well_formed(self):
        checked = subprocess.run(["promtool", "check", "metrics"], input=self.stage.metrics(), capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_10_prometheus_scrapes_them(self):
        port = free_port()
        config = self.stage.path("prometheus", "prometheus.yml")
        config.write_text("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: ocim\n  static_configs:\n"
                          f"  - targets: ['127.0.0.1:{self.stage.metrics_port()}']\n")
        self.stage.start("prometheus", ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
                                        f"--storage.tsdb.path={config.parent}/data"])

        def value(query):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}", timeout=5) as reply:
                    found = json.load(reply)["data"]["result"]
                    return found[0]["value"][1] if found else None
            except OSError:
                return None

        wait_for("Prometheus scrapes it", lambda: value("up%7Bjob%3D%22ocim%22%7D") == "1", 60)
        wait_for("and has its series", lambda: value("sum(ocim_external_actions_total)") not in (None, "0"), 60)
        self.stage.stop("prometheus")

    def test_11_text_of_people_arrives_as_it_is(self):
        name = "Hochschule \"Ünï\" {{ 7*7 }} it's `here` 🎓"
        self.stage.apply(self.instance("words", displayName=name,
                                       configuration={"extraVars": {"DEMO_EXTRA": "quotes ' \" and 🎓"}}))
        self.wait_ready(name="words")
        body = self.wait_served("words.example.test")
        self.assertIn(name, body)
        self.assertIn("extra:    quotes ' \" and 🎓", body)

    def test_12_a_new_configuration_takes_over(self):
        self.patch("instance", "demo", {"spec": {"displayName": "Renamed campus"}})
        wait_for("another AppServer is in rotation",
                 lambda: self.condition("appserver", "demo-2", "Active")["status"] == "True", READY)
        # a neighbour that remembers the machine's former hardware address would be silent for longer
        wait_for("it answers visitors", lambda: "Renamed campus" in self.page()[1], 20)
        wait_for("the one before leaves, and is kept to go back to",
                 lambda: not self.stage.get("appserver", "demo-1", "-n", "campus")["spec"]["active"], READY)

    def test_13_a_failed_playbook_says_which_task(self):
        self.stage.apply(self.instance("broken", rollout={"attempts": 1}, configuration={"extraVars": {"DEMO_FAIL": True}}))
        failed = wait_for("the Instance gives up",
                          lambda: (c := self.condition("instance", "broken", "Stalled"))["status"] == "True" and c, 300)
        self.assertEqual(failed["reason"], "ConfigurationFailed")
        self.assertIn("fail when it is asked to", failed["message"])
        appserver = self.stage.get("appserver", "broken-1", "-n", "campus")
        self.assertEqual(appserver["status"]["phase"], "ConfigurationFailed")
        self.assertEqual(appserver["status"]["provision"]["failedTask"], "fail when it is asked to")
        self.assertEqual(self.condition("appserver", "broken-1")["reason"], "ConfigurationFailed")


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
