#!/usr/bin/python3
"""The log of an AppServer's playbook: while it runs, when it has ended, when it has failed, and gone with it."""
import json
import os
import ssl
import subprocess
import unittest
import urllib.error
import urllib.request

import yaml

from case import READY, Scenario, wait_for
from stage import MODE, OCIM

LOG = "/apis/ocim.opencraft.com/v1alpha1/namespaces/campus/appservers/{}/log"
SECRET = 'pass"word\\ with ü'


class Logs(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()
        cls.reader = cls.stage.path("kubeconfig")
        if MODE == "operator":
            cls.wait_until_it_leads()
            cls.reader = cls.kubeconfig_of("reader", ["appservers/log"])

    @classmethod
    def wait_until_it_leads(cls):
        """The lease of one that was killed lasts for a while."""
        wait_for("it leads", lambda: 'leader_election_master_status{name="ocim-controller"} 1' in cls.stage.metrics(), 60)

    @classmethod
    def kubeconfig_of(cls, name, resources):
        """Of an account of campus that may get those, known by its token."""
        cls.stage.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "campus"}},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name, "namespace": "campus"},
             "rules": [{"apiGroups": ["ocim.opencraft.com"], "resources": resources, "verbs": ["get"]}]},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": "campus"},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
             "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "campus"}]})
        document = yaml.safe_load(cls.stage.path("kubeconfig").read_text())
        token = cls.stage.kubectl("create", "token", name, "-n", "campus").stdout.strip()
        document["users"][0]["user"] = {"token": token}
        path = cls.stage.path(f"{name}-kubeconfig")
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path

    def logs(self, *words, kubeconfig=None):
        return subprocess.Popen([str(OCIM), "logs", *words, "-n", "campus", "--kubeconfig", kubeconfig or self.reader],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def printed(self, *words, kubeconfig=None):
        """(exit code, output, errors)"""
        process = self.logs(*words, kubeconfig=kubeconfig)
        out, errors = process.communicate(timeout=READY)
        return process.returncode, out, errors

    def log_on_machine(self, appserver):
        address = self.stage.get("appserver", appserver, "-n", "campus")["status"]["addresses"][0]
        return self.ssh(address, "cat /var/lib/ocim/runs/*/log").stdout

    def kept(self, appserver):
        found = self.stage.get("configmap", f"{appserver}-log", "-n", "campus")
        return found["data"]["log"] if found else ""

    def test_01_it_is_followed_from_before_the_playbook_begins(self):
        self.stage.apply(self.instance("slow", configuration={"extraVars": {"DEMO_UNTIL": "/run/go-on"}}))
        wait_for("there is an AppServer", lambda: self.stage.get("appserver", "slow-1", "-n", "campus"), READY)
        follower = self.logs("appserver/slow-1", "-f")
        lines = []
        while not any("run until it is told to stop" in line for line in lines):
            line = follower.stdout.readline()
            self.assertTrue(line, f"it ended before: {lines} {follower.stderr.read() if not line else ''}")
            lines.append(line)
        phase = self.stage.get("provisioningrun", "slow-1-1", "-n", "campus")["status"].get("phase")
        self.assertEqual(phase, "Running", "lines come while the playbook runs")
        address = self.stage.get("appserver", "slow-1", "-n", "campus")["status"]["addresses"][0]
        self.assertEqual(self.ssh(address, "touch /run/go-on").returncode, 0)
        rest, errors = follower.communicate(timeout=READY)
        self.assertEqual((follower.returncode, errors), (0, ""))
        self.assertIn("PLAY RECAP", rest, "and to its end")
        self.wait_ready(name="slow")
        self.assertEqual("".join(lines) + rest, self.log_on_machine("slow-1"), "every byte, once, in order")

    def test_02_it_is_there_afterwards(self):
        whole = self.log_on_machine("slow-1")
        self.assertEqual(self.printed("appserver/slow-1"), (0, whole, ""))
        self.assertEqual(self.printed("appserver/slow-1", "-f"), (0, whole, ""), "nothing to wait for")
        self.assertEqual(self.printed("oas/slow-1", "--tail", "2")[1], "".join(whole.splitlines(True)[-2:]))
        self.assertEqual(self.printed("oas/slow-1", "--limit-bytes", "50")[1], whole[:50])
        self.assertEqual(self.printed("oas/slow-1", "--since", "1h")[1], whole)
        if MODE != "operator":  # who reads by a token of a few rights may not list AppServers
            self.assertEqual(self.printed("instance/slow"), (0, whole, ""))
            self.assertEqual(self.stage.kubectl("get", "--raw", LOG.format("slow-1")).stdout, whole)
            self.assertEqual(self.stage.kubectl("get", "--raw", LOG.format("slow-1") + "?limitBytes=50").stdout, whole[:50])
        wait_for("the end is in a ConfigMap", lambda: self.kept("slow-1") == whole, 60)

    def test_03_what_cannot_be_shown_is_refused_with_its_reason(self):
        for words, said in ((("appserver/nobody",), 'appservers.ocim.opencraft.com "nobody" not found'),
                            (("appserver/slow-1", "--tail", "x"), "--tail x: give a number"),
                            (("dnsrecord/slow",), "only appservers have logs"), ((), "ocim logs appserver/NAME")):
            code, out, errors = self.printed(*words)
            self.assertNotEqual(code, 0, words)
            self.assertEqual(out, "", words)
            self.assertIn(said, errors)
        if MODE != "operator":
            refused = self.stage.kubectl("get", "--raw", LOG.format("slow-1") + "?tailLines=-1", check=False)
            self.assertIn("tailLines", refused.stderr)

    @unittest.skipUnless(MODE == "operator", "in operator mode only: else the API server itself has the logs")
    def test_03_the_controllers_know_people_by_what_the_api_server_says_of_them(self):
        other = self.kubeconfig_of("other", ["appservers"])
        code, out, errors = self.printed("appserver/slow-1", kubeconfig=other)
        self.assertNotEqual(code, 0)
        self.assertEqual(out, "")
        self.assertIn('User "system:serviceaccount:campus:other" cannot get resource "appservers/log"', errors)
        # the administrator is known by a certificate, which is for the API server alone
        admin = self.stage.path("kubeconfig")
        code, out, errors = self.printed("appserver/slow-1", kubeconfig=admin)
        self.assertEqual((code != 0, out), (True, ""))
        self.assertIn("--token-file", errors)
        token = self.stage.path("token")
        token.touch(mode=0o600)
        token.write_text(self.stage.kubectl("create", "token", "reader", "-n", "campus").stdout)
        self.assertEqual(self.printed("appserver/slow-1", "--token-file", str(token), kubeconfig=admin)[0], 0)
        token.write_text("made.up.token")
        code, out, errors = self.printed("appserver/slow-1", "--token-file", str(token), kubeconfig=admin)
        self.assertEqual((code != 0, out), (True, ""))
        self.assertIn("Unauthorized", errors)

    @unittest.skipUnless(MODE == "operator", "in operator mode only: else the API server itself has the logs")
    def test_03_whoever_does_not_lead_passes_on(self):
        self.stage.start_follower("second")
        port = self.stage.port("second_door")
        # its certificate is its own, and the Lease vouches for the leader's alone
        code, out, errors = self.printed("appserver/slow-1", "--logs-server", f"https://127.0.0.1:{port}")
        self.assertEqual((code != 0, out), (True, ""))
        self.assertIn(f"--logs-server https://127.0.0.1:{port}", errors)
        token = self.stage.kubectl("create", "token", "reader", "-n", "campus").stdout.strip()
        trust = ssl._create_unverified_context()

        def asked(token, name="slow-1"):
            request = urllib.request.Request(f"https://127.0.0.1:{port}{LOG.format(name)}",
                                             headers={"Authorization": f"Bearer {token}"})
            try:
                with urllib.request.urlopen(request, context=trust, timeout=30) as reply:
                    return reply.status, reply.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
        self.assertEqual(asked(token), (200, self.log_on_machine("slow-1")))
        self.assertEqual(asked("made.up.token")[0], 401)
        self.assertEqual(asked(token, "nobody")[0], 404)
        # a webhook that comes to it is judged by the leader, which knows of no secret
        delivery = urllib.request.Request(f"http://127.0.0.1:{self.stage.port('second_webhooks')}/github", data=b"{}")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(delivery, timeout=30)
        self.assertEqual(refused.exception.code, 401)
        self.assertIn("not signed with a secret that is known", refused.exception.read().decode())
        self.stage.stop("second")

    def test_04_a_failed_run_shows_why_and_no_secret(self):
        self.stage.apply(self.stage.secret("own", {"vars": json.dumps({"OWN_PASSWORD": SECRET})}, namespace="campus"),
                         self.instance("broken", rollout={"attempts": 1}, configuration={
                             "extraVarsFrom": [{"secretRef": {"name": "own"}}],
                             "extraVars": {"DEMO_FAIL": True, "DEMO_SAY": ["word: {{ OWN_PASSWORD }}"]}}))
        wait_for("it gives up", lambda: self.condition("instance", "broken", "Stalled")["status"] == "True", READY)
        code, out, _ = self.printed("appserver/broken-1", "-f")
        self.assertEqual(code, 0)
        self.assertIn("DEMO_FAIL is set", out)
        self.assertIn("********", out, "the secret was printed, and masked")
        on_machine = self.log_on_machine("broken-1")
        self.assertTrue(SECRET in on_machine or json.dumps(SECRET)[1:-1] in on_machine or
                        json.dumps(SECRET, ensure_ascii=False)[1:-1] in on_machine, "it is really printed there")
        wait_for("the end is in a ConfigMap", lambda: "DEMO_FAIL is set" in self.kept("broken-1"), 60)
        told = self.stage.kubectl("get", "ocim,configmaps,events.events.k8s.io", "-A", "-o", "yaml").stdout + out
        told += self.stage.path("log", "ocim.log").read_text()
        for path in self.stage.path("ocim", "logs").rglob("*.log"):
            told += path.read_text(errors="replace")
        for form in (SECRET, json.dumps(SECRET)[1:-1], json.dumps(SECRET, ensure_ascii=False)[1:-1]):
            self.assertNotIn(form, told)

    def test_05_a_restart_in_the_middle_loses_no_line(self):
        self.stage.apply(self.instance("again", configuration={"extraVars": {"DEMO_SECONDS": 8}}))
        wait_for("it runs", lambda: (self.stage.get("provisioningrun", "again-1-1", "-n", "campus") or {}).get(
            "status", {}).get("phase") == "Running", READY)
        self.stage.kill("ocim")
        self.stage.start_ocim()
        if MODE == "operator":
            self.wait_until_it_leads()
        code, out, errors = self.printed("appserver/again-1", "-f")
        self.assertEqual((code, errors), (0, ""))
        self.wait_ready(name="again")
        self.assertEqual(out, self.log_on_machine("again-1"))

    def test_06_logs_go_with_their_appserver(self):
        folder = self.stage.path("ocim", "logs", "campus", "x").parent
        self.assertIn("slow-1-1", os.listdir(folder))
        self.stage.kubectl("delete", "instance", "slow", "broken", "-n", "campus", "--timeout=300s", seconds=330)
        wait_for("the logs are gone", lambda: not [n for n in os.listdir(folder) if n.startswith(("slow", "broken"))], 60)
        wait_for("and their ends", lambda: self.kept("slow-1") == "" and self.kept("broken-1") == "", 60)

    def test_07_also_when_the_machine_went_first(self):
        folder = self.stage.path("ocim", "logs", "campus", "x").parent
        self.assertIn("again-1-1", os.listdir(folder))
        address = self.stage.get("appserver", "again-1", "-n", "campus")["status"]["addresses"][0]
        self.assertEqual(self.ssh(address, "rm -rf /var/lib/ocim").returncode, 0)
        self.stage.kubectl("delete", "appserver", "again-1", "-n", "campus", "--wait=false")
        self.stage.kubectl("delete", "instance", "again", "-n", "campus", "--timeout=300s", seconds=330)
        wait_for("the log is gone", lambda: not [n for n in os.listdir(folder) if n.startswith("again-1")], 60)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
