#!/usr/bin/python3
"""People are told by mail: of a run that failed, with its log, once; and of a site that is down and up again."""
import http.server
import json
import pathlib
import threading
import unittest

from case import READY, Scenario, free_port, wait_for

SERVER = pathlib.Path(__file__).resolve().parents[2] / "support" / "mail_server.py"
PASSWORD = "the relay's password"
SECRET = 'own"secret with ü'


class Mail(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()
        cls.inbox = cls.stage.path("mail", "behaviour.json")
        cls.inbox.write_text(json.dumps({"user": "ocim", "password": PASSWORD}))
        cls.port = free_port()
        authority = cls.stage.path("mail", "ca.crt")
        cls.stage.start("mail", ["/usr/bin/python3", SERVER, cls.port, cls.inbox.parent, "--tls", "starttls", "--authority",
                                 authority])
        wait_for("the mail server has a certificate", authority.exists, 30)
        cls.stage.apply(
            cls.stage.secret("smtp", {"username": "ocim", "password": PASSWORD}),
            cls.stage.secret("smtp-ca", {"ca.crt": authority.read_text()}),
            {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "MailRelay", "metadata": {"name": "default"},
             "spec": {"from": "ocim@example.test", "smtp": {
                 "host": "127.0.0.1", "port": cls.port, "tls": {"mode": "StartTLS", "caRef": {"name": "smtp-ca"}},
                 "credentialsRef": {"name": "smtp"}}}})
        cls.patch("instanceclass", "demo", {"spec": {"notifications": {"emails": ["ops@example.test"]}}}, namespace=None)

    def mails(self, word):
        """Those whose subject has this word, oldest first."""
        found = [json.loads(p.read_text()) for p in sorted(self.inbox.parent.glob("mails/*.json"))]
        return [m for m in found if word in m["headers"]["Subject"]]

    def restart(self):
        self.stage.kill("ocim")
        self.stage.start_ocim()

    def test_01_a_failed_run_is_told_once_with_its_log(self):
        self.stage.apply(self.stage.secret("own", {"vars": json.dumps({"OWN_PASSWORD": SECRET})}, namespace="campus"),
                         self.instance("broken", rollout={"attempts": 2}, monitoring={"emails": ["dana@example.test"]},
                                       configuration={
                                           "extraVarsFrom": [{"secretRef": {"name": "own"}}],
                                           "extraVars": {"DEMO_FAIL": True, "DEMO_SAY": ["word: {{ OWN_PASSWORD }}"]}}))
        wait_for("both have mail", lambda: len(self.mails("broken")) == 2, READY)
        # killed before it has noted that, it would send copies with the same Message-ID: see docs/mail.md
        for item in self.stage.get("notification", "-n", "campus")["items"]:
            self.wait_ready("notification", item["metadata"]["name"])
        self.restart()
        wait_for("it gives up", lambda: self.condition("instance", "broken", "Stalled")["status"] == "True", READY)
        self.assertIsNotNone(self.stage.get("appserver", "broken-2", "-n", "campus"), "it was tried again")
        self.stage.apply({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Notification",
                          "metadata": {"name": "after", "namespace": "campus"},
                          "spec": {"mailRelayRef": {"name": "default"}, "to": ["ops@example.test"], "subject": "last",
                                   "text": "What was before this has been sent."}})
        self.wait_ready("notification", "after")
        # a machine that fails on a busy host is another cause, and told of
        mails = self.mails("broken-1")
        if self.condition("appserver", "broken-2")["reason"] == "ConfigurationFailed":
            self.assertEqual(self.mails("broken-2"), [], "the same again is no news")
        self.assertEqual(sorted(m["to"][0] for m in mails), ["dana@example.test", "ops@example.test"],
                         "neither the second attempt nor the restart was news")
        for mail in mails:
            self.assertTrue(mail["tls"])
            self.assertEqual(mail["headers"]["Subject"], "[Ocim] AppServer broken-1 of campus/broken failed")
            self.assertEqual([f["name"] for f in mail["files"]], ["broken-1-log.txt"])
            self.assertIn("DEMO_FAIL is set", mail["files"][0]["text"])
            self.assertIn("PLAY RECAP", mail["files"][0]["text"], "to its end")
            self.assertIn("********", mail["files"][0]["text"], "what is secret is masked")
            for form in (SECRET, json.dumps(SECRET)[1:-1], json.dumps(SECRET, ensure_ascii=False)[1:-1]):
                self.assertNotIn(form, mail["text"] + mail["files"][0]["text"])
        self.assertGreaterEqual(self.metric("ocim_mails_total", result="taken"), 1)

    def test_02_a_relay_that_is_down_is_said_and_then_caught_up_with(self):
        self.stage.stop("mail")
        self.stage.apply({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Notification",
                          "metadata": {"name": "late", "namespace": "campus"},
                          "spec": {"mailRelayRef": {"name": "default"}, "to": ["ops@example.test"], "subject": "late",
                                   "text": "Better late."}})
        wait_for("it says so", lambda: self.condition("notification", "late")["reason"] == "BackendUnreachable", READY)
        self.restart()
        self.stage.start_again("mail")
        self.wait_ready("notification", "late")
        self.assertEqual(len(self.mails("late")), 1)
        told = self.stage.path("log", "ocim.log").read_text() + self.stage.kubectl(
            "get", "ocim,events.events.k8s.io", "-A", "-o", "yaml").stdout
        self.assertNotIn(PASSWORD, told)

    def test_03_a_site_that_goes_down_and_comes_back(self):
        port = free_port()
        self.stage.apply({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Monitor",
                          "metadata": {"name": "shop", "namespace": "campus"},
                          "spec": {"serviceRef": {"name": self.stage.get("monitoringservice")["items"][0]["metadata"]["name"]},
                                   "url": f"http://127.0.0.1:{port}/", "intervalSeconds": 1, "alertAfterFailures": 2,
                                   "alertEmails": ["ops@example.test"]}})
        wait_for("it is told", lambda: len(self.mails(f":{port}/ is down")) == 1, 60)
        wait_for("and said to be", lambda: self.condition("monitor", "shop", "Alerting")["status"] == "True", 60)
        self.restart()
        server = http.server.HTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            wait_for("it is told", lambda: len(self.mails(f":{port}/ is up again")) == 1, 60)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        self.assertEqual(len(self.mails(f":{port}/ is down")), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
