#!/usr/bin/python3
"""Sites that Tutor makes, with a stand-in for it: tests/support/tutor. Databases, balancing and machines are real."""
import functools
import http.server
import json
import sys
import threading
import unittest

from case import READY, ROOT, Scenario, wait_for
from stage import free_port

sys.path.insert(0, str(ROOT / "tests/support/tutor"))
import wheel  # noqa: E402

PATCH, OWN_PATCH = "X = 1", "Y = '{{ 1 }}'\n"
HASH = "pbkdf2_sha256$20000$levJ6jdVYCsu$gdBLGf2DNPqfaKdcETXtFocRU8Kk+sMsIvKkmw1dKbY="


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Tutor(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.stage.path("wheel", "x").parent
        wheel.build(folder)
        where = (cls.stage.facts["GATEWAY"], free_port(cls.stage.facts["GATEWAY"]))
        server = http.server.ThreadingHTTPServer(where, functools.partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        of_class = next(m for m in cls.stage.manifests(ROOT / "manifests/samples/demo") if m["kind"] == "InstanceClass")
        of_class["spec"].pop("configuration")
        of_class["spec"]["smtpRelay"] = {"host": "mail.example.test", "port": 2525}
        of_class["spec"]["tutor"] = {"requirements": [f"tutor[full] @ http://{where[0]}:{where[1]}/{wheel.NAME}"],
                                     "plugins": ["mfe"], "patches": {"openedx-common-settings": PATCH}}
        cls.stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}}, of_class)

    def page_of(self, host="demo.example.test"):
        status, body = self.page(host)
        return json.loads(body) if status == 200 else None

    def kept(self):
        return json.loads(self.secret("demo-tutor", "config.yml"))

    def test_01_a_site_is_launched_and_serves(self):
        dana = {"username": "dana", "email": "o'neil@example.edu", "passwordHashRef": {"name": "people", "key": "dana"}}
        self.stage.apply(self.stage.secret("people", {"dana": HASH}, namespace="campus"),
                         self.instance(displayName='The "Campus" {{ 1 }}', admins={"lmsUsers": [dana]},
                                       tutor={"patches": {"openedx-common-settings": OWN_PATCH}, "plugins": ["indigo"]}))
        self.wait_ready()
        site = wait_for("it is served", self.page_of, 60)
        names = self.instance_status()["names"]
        self.assertEqual((site["name"], site["lms"], site["cms"]),
                         ('The "Campus" {{ 1 }}', "demo.example.test", "studio-demo.example.test"))
        self.assertEqual(site["users"], {"dana": {"email": "o'neil@example.edu", "hash": HASH, "staff": True, "superuser": True}})
        self.assertEqual(site["plugins"], ["ocim", "mfe", "indigo"])
        self.assertEqual(site["patches"], {"openedx-common-settings": f"{PATCH}\n{OWN_PATCH}"})
        self.assertEqual((site["database"], site["mail"]), (True, "mail.example.test"))
        self.assertEqual(site["run"], ["RUN_MONGODB"], "databases and mail of the installation, not of the machine")
        run = self.stage.get("provisioningrun", "demo-1-1", "-n", "campus")
        self.assertEqual(run["spec"]["check"]["path"] if "path" in run["spec"]["check"] else "/heartbeat", "/heartbeat")
        self.assertIn("verifiedAt", run["status"])
        self.assertNotIn("ansible", run["spec"])
        self.assertIn(f"{names['database']}_edxapp", self.databases())

    def test_01b_every_name_of_tutors_leads_there(self):
        names = self.instance_status()["domains"]
        self.assertEqual((names["apps"], names["meilisearch"]), ("apps.demo.example.test", "meilisearch.demo.example.test"))
        balancer = self.dig(names["lms"], "CNAME")
        for service in "apps", "meilisearch", "lmsPreview", "studio":
            self.assertEqual(self.dig(names[service], "CNAME"), balancer, service)
            wait_for(f"{names[service]} is served", lambda host=names[service]: self.page_of(host), 60)
        self.assertEqual(self.page("elsewhere.demo.example.test")[0], 404)

    def test_02_no_secret_is_in_its_log(self):
        def log():
            found = self.stage.get("configmap", "demo-1-log", "-n", "campus")
            return found and "make users of the LMS" in found["data"]["log"] and found["data"]["log"]
        log = wait_for("the log is kept", log, 60)
        self.assertIn("TASK [tutor : launch]", log)
        drawn = [value for name, value in self.kept().items() if isinstance(value, str)]
        self.assertGreaterEqual(len(drawn), 5)
        self.assertIn("ok: user dana", log)
        for value in [*drawn, HASH]:
            self.assertNotIn(value, log)

    def test_03_what_was_drawn_is_kept_for_the_next_server(self):
        site, kept = self.page_of(), self.kept()
        self.assertTrue(kept["JWT_RSA_PRIVATE_KEY"].startswith("-----BEGIN"), sorted(kept))
        self.assertNotIn("LMS_HOST", kept, "only what was drawn")
        self.patch("instance", "demo", {"spec": {"configuration": {"extraVars": {"LANGUAGE_CODE": "fr"}}}})
        wait_for("another server serves", lambda: self.instance_status()["activeAppServers"] == ["demo-2"], READY)
        after = wait_for("it is served", self.page_of, 60)
        self.assertEqual((after["key"], after["rsa"]), (site["key"], site["rsa"]))
        self.assertEqual(self.kept(), kept)

    def test_04_what_tutor_refuses_is_said(self):
        self.patch("instance", "demo", {"spec": {"rollout": {"attempts": 1},
                                                 "configuration": {"extraVars": {"NO_SUCH_SETTING": 1}}}})
        wait_for("it failed", lambda: self.condition("appserver", "demo-3", "Configured")["reason"] == "ConfigurationFailed", READY)
        self.assertIn("unknown setting NO_SUCH_SETTING", self.condition("appserver", "demo-3", "Configured")["message"])
        self.assertEqual(self.stage.get("provisioningrun", "demo-3-1", "-n", "campus")["status"]["failedStep"], "Settings")
        self.assertEqual(self.instance_status()["activeAppServers"], ["demo-2"], "what serves goes on")

    def test_05_deleted_it_keeps_what_was_drawn_with_the_data(self):
        kept = self.kept()
        self.stage.kubectl("delete", "instance", "demo", "-n", "campus", "--timeout=300s", seconds=330)
        self.assertEqual(self.machines(), ([], []))
        self.assertEqual(self.kept(), kept)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
