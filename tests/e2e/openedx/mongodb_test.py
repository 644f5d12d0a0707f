#!/usr/bin/python3
"""Courses of a site at a DatabaseServer with mongodb: made, given to the site, put right, kept, found again, removed.

The server is the test server of the database room, see tests/support/mongodb_server.py.
"""
import json
import secrets
import sys
import threading
import time
import unittest
import urllib.request

from case import DRIFT, READY, ROOT, Scenario, free_port, wait_for

sys.path.insert(0, str(ROOT / "tests/support"))
from mongodb_client import Client, Refused  # noqa: E402

SHOWN = ["EDXAPP_MONGO_USER", "EDXAPP_MONGO_PASSWORD", "EDXAPP_MONGO_HOSTS", "EDXAPP_MONGO_PORT", "EDXAPP_MONGO_DB_NAME",
         "FORUM_MONGO_USER", "FORUM_MONGO_PASSWORD", "FORUM_MONGO_DATABASE"]


class MongoDB(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.start_mongodb()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def start_mongodb(cls):
        stage, address = cls.stage, cls.stage.facts["GATEWAY"]
        cls.port, cls.control, password = free_port(address), free_port(), secrets.token_hex(16)
        file = stage.path("mongodb", "password")
        file.touch(mode=0o600)
        file.write_text(password)
        stage.start("mongodb", ["python3", ROOT / "tests/support/mongodb_server.py", "--address", address, "--port", cls.port,
                                "--control", cls.control, "--password-file", file], {"PYTHONDONTWRITEBYTECODE": "1"})
        stage.wait_until_up("mongodb", cls.order_or_none)
        stage.apply(
            stage.secret("mongodb-admin", {"username": "ocim", "password": password}),
            {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DatabaseServer",
             "metadata": {"name": "mongo", "labels": {"tier": "courses"}},
             "spec": {"mongodb": {"hosts": [f"{address}:{cls.port}"], "tls": {"mode": "Disabled"}},
                      "driftInterval": cls.drift_interval, "credentialsRef": {"name": "mongodb-admin"}}})
        of_class = next(m for m in stage.manifests(ROOT / "manifests/samples/demo") if m["kind"] == "InstanceClass")
        of_class["spec"]["placement"]["mongodb"] = {"matchLabels": {"tier": "courses"}}
        of_class["spec"]["databases"] = {"mongodb": "DatabaseServer"}
        stage.apply(of_class, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}})

    @classmethod
    def order(cls, **what):
        request = urllib.request.Request(f"http://127.0.0.1:{cls.control}/", data=json.dumps(what).encode())
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    @classmethod
    def order_or_none(cls):
        try:
            return cls.order()
        except OSError:
            return None

    def users(self):
        return sorted(name for name in self.order()["users"] if name != "ocim@admin")

    def site(self, **spec):
        return self.instance("lessons", configuration={"extraVars": {"DEMO_SHOW": SHOWN}}, **spec)

    def told(self):
        """What the site was given, as it stands on its machine."""
        number = max(int(name.rsplit("-", 1)[1]) for name in self.instance_status("lessons")["activeAppServers"])
        status = self.stage.get("appserver", f"lessons-{number}", "-n", "campus")["status"]
        return json.loads(self.ssh(status["addresses"][0], "cat", "/opt/site/variables.json").stdout), status

    def client(self, home, told):
        return Client(self.stage.facts["GATEWAY"], told["EDXAPP_MONGO_PORT"], home, told["EDXAPP_MONGO_USER"],
                      told["EDXAPP_MONGO_PASSWORD"])

    def kept(self, told, database):
        """What a site finds there."""
        with self.client(database, told) as client:
            answer = client.run(database, find="structures", maxTimeMS=9000)
            return [document["_id"] for document in answer["cursor"]["firstBatch"]]

    def test_1_a_site_has_its_courses_there(self):
        self.stage.apply(self.site())
        self.wait_ready(name="lessons", seconds=READY)
        told, status = self.told()
        courses, forum = told["EDXAPP_MONGO_DB_NAME"], told["FORUM_MONGO_DATABASE"]
        user = told["EDXAPP_MONGO_USER"]
        self.assertEqual(forum, f"{courses}_forum")
        self.assertEqual(self.users(), sorted([f"{user}@{courses}", f"{user}@{forum}"]))
        self.assertEqual(told["EDXAPP_MONGO_HOSTS"], [self.stage.facts["GATEWAY"]])
        self.assertEqual((told["FORUM_MONGO_USER"], told["FORUM_MONGO_PASSWORD"]), (user, told["EDXAPP_MONGO_PASSWORD"]))
        self.assertEqual(told["EDXAPP_MONGO_PASSWORD"], self.secret("lessons-mongodb", user), "where people find it")
        reached = self.ssh(status["addresses"][0], "python3", "-c", "'import socket; socket.create_connection("
                           f"(\"{self.stage.facts['GATEWAY']}\", {self.port}), 10)'")
        self.assertEqual(reached.returncode, 0, reached.stderr)
        for database in courses, forum:
            with self.client(courses, told) as client:
                client.run(database, insert="structures", documents=[{"_id": "algebra"}], maxTimeMS=9000,
                           writeConcern={"w": "majority"})
        self.assertEqual(self.kept(told, courses), ["algebra"])
        self.assertEqual(self.kept(told, forum), ["algebra"], "the forum logs in to its own database")
        with self.client(forum, told) as client, self.assertRaises(Refused):
            client.run(courses, find="structures", maxTimeMS=9000)  # its user is let in to nothing else
        with self.assertRaises(Refused):
            self.client(courses, {**told, "EDXAPP_MONGO_PASSWORD": "another"})
        self.assertEqual(self.order()["violations"], [])
        self.assertNotIn(told["EDXAPP_MONGO_PASSWORD"], self.stage.path("log", "ocim.log").read_text(errors="replace"))

    def test_2_what_somebody_takes_away_comes_back(self):
        told, _ = self.told()
        courses, user = told["EDXAPP_MONGO_DB_NAME"], told["EDXAPP_MONGO_USER"]
        self.order(run={"dropUser": user}, db=courses)
        wait_for("the user is back", lambda: f"{user}@{courses}" in self.users(), DRIFT)
        self.assertEqual(self.kept(told, courses), ["algebra"])
        self.order(run={"updateUser": user, "pwd": "changed by hand"}, db=courses)

        def lets_in():
            try:
                return self.kept(told, courses)
            except Refused:
                return None
        self.assertEqual(wait_for("the password is back", lets_in, DRIFT), ["algebra"])
        self.assertEqual(self.condition("instance", "lessons")["status"], "True")

    def test_3_a_new_appserver_has_the_same_courses(self):
        before, _ = self.told()
        self.patch("instance", "lessons", {"spec": {"displayName": "The second"}})
        wait_for("the second one serves", lambda: self.instance_status("lessons")["activeAppServers"] == ["lessons-2"], READY)
        self.wait_ready(name="lessons")
        after, _ = self.told()
        self.assertEqual(after, before)
        self.assertEqual(self.kept(after, after["EDXAPP_MONGO_DB_NAME"]), ["algebra"])

    def test_4_passwords_are_replaced_and_nobody_is_refused(self):
        before, _ = self.told()
        courses, forum, user = before["EDXAPP_MONGO_DB_NAME"], before["FORUM_MONGO_DATABASE"], before["EDXAPP_MONGO_USER"]
        refused, over, logins = [], threading.Event(), []

        def log_in():
            while not over.wait(0.05):
                try:
                    logins.append(self.kept(before, courses))
                except (OSError, Refused) as error:
                    # whoever has it is gone before it ends
                    if self.stage.get("appserver", "lessons-2", "-n", "campus"):
                        refused.append(repr(error))

        client = threading.Thread(target=log_in, daemon=True)
        client.start()
        self.patch("instance", "lessons", {"spec": {"rollout": {"keepFallbackFor": "10s", "drainFor": "1s", "verifyFor": "1s"}}})
        time.sleep(1)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.stage.kubectl("annotate", "instance", "lessons", "-n", "campus", f"ocim.opencraft.com/rotate-at={now}")
        wait_for("both accounts are there", lambda: self.users() == sorted(
            f"{name}@{home}" for name in (user, f"{user}_2") for home in (courses, forum)), READY)
        wait_for("the passwords are replaced",
                 lambda: self.condition("instance", "lessons", "PasswordsReplaced")["status"] == "True", READY)
        over.set()
        client.join(60)
        self.assertEqual(refused, [])
        self.assertGreater(len(logins), 20)
        after, _ = self.told()
        self.assertEqual(after["EDXAPP_MONGO_USER"], f"{user}_2")
        self.assertNotEqual(after["EDXAPP_MONGO_PASSWORD"], before["EDXAPP_MONGO_PASSWORD"])
        self.assertEqual(self.kept(after, courses), ["algebra"])
        self.assertEqual(self.kept(after, forum), ["algebra"])
        self.assertEqual(self.users(), sorted([f"{user}_2@{courses}", f"{user}_2@{forum}"]))
        with self.assertRaises(Refused):
            self.kept(before, courses)
        self.assertEqual(self.order()["violations"], [])
        self.wait_ready(name="lessons")

    def test_5_courses_stay_until_they_are_to_go(self):
        told, _ = self.told()
        courses = told["EDXAPP_MONGO_DB_NAME"]
        self.stage.kubectl("delete", "instance", "lessons", "-n", "campus", "--timeout=180s", seconds=200)
        self.assertEqual(self.kept(told, courses), ["algebra"], "retained, with its user and password")
        self.stage.apply(self.site(deletionPolicy="Delete"))
        self.wait_ready(name="lessons")
        again, _ = self.told()
        self.assertEqual(again, told, "its namesake has the same")
        self.assertEqual(self.kept(again, courses), ["algebra"])
        self.stage.kubectl("delete", "instance", "lessons", "-n", "campus", "--timeout=180s", seconds=200)
        self.assertEqual(self.users(), [])
        self.assertFalse([name for name, found in self.order()["data"].items() if name.startswith(courses) and found])
        self.assertEqual(self.order()["violations"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
