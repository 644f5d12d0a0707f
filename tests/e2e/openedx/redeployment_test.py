#!/usr/bin/python3
"""Many sites get new servers, a few at a time: first only listed, then for real with SQL before, through a crash of the
program, and with a pause when something fails."""
import unittest

from case import READY, Scenario, wait_for

RELEASES = {"matchFields": [{"key": "spec.className", "operator": "In", "values": ["demo"]}]}


class Redeployment(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()
        cls.stage.apply(cls.instance("second"))

    def redeployment(self, name, **spec):
        return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Redeployment",
                "metadata": {"name": name, "namespace": "campus"}, "spec": {"selector": RELEASES, "interval": "1s", **spec}}

    def status(self, name):
        return (self.stage.get("redeployment", name, "-n", "campus") or {}).get("status", {})

    def states(self, name):
        return {item["name"]: item["state"] for item in self.status(name).get("instances", [])}

    def wait_phase(self, name, phase):
        wait_for(f"redeployment {name} is {phase}", lambda: self.status(name).get("phase") == phase, READY)

    def database(self, instance):
        names = self.instance_status(instance)["names"]
        return names["database"] + "_edxapp", names["mysqlUser"] + "_edxapp"

    def test_01_a_dry_run_lists_and_touches_nothing(self):
        self.wait_ready()
        self.wait_ready(name="second")
        for name in "demo", "second":
            database, user = self.database(name)
            made = self.mariadb(user, self.secret(f"{name}-mysql", user), "CREATE TABLE moves (who VARCHAR(80))", database)
            self.assertEqual(made.returncode, 0, made.stderr)
        self.stage.apply(self.redeployment(
            "up", dryRun=True, batchSize=1, patch={"displayName": "Moved"},
            sqlBefore={"statements": ["INSERT INTO moves VALUES (CURRENT_USER())", "ALTER TABLE moves ADD COLUMN n INT"]}))
        self.wait_phase("up", "DryRun")
        listed = {item["name"]: item["message"] for item in self.status("up")["instances"]}
        self.assertEqual(set(listed), {"demo", "second"})
        self.assertIn("displayName: Demo campus -> Moved", listed["demo"])
        self.assertIn("2 SQL statements", self.condition("redeployment", "up")["message"])
        self.assertEqual(self.stage.get("instance", "demo", "-n", "campus")["spec"]["displayName"], "Demo campus")

    def test_02_all_move_once_though_the_program_is_killed(self):
        first = {name: self.instance_status(name)["activeAppServers"] for name in ("demo", "second")}
        self.patch("redeployment", "up", {"spec": {"dryRun": False}})
        states = wait_for("the first is on its way", lambda: (now := self.states("up")).get("demo") == "Deploying" and now, READY)
        self.assertEqual(states["second"], "Pending", "one at a time")
        self.stage.kill("ocim")
        self.stage.start_ocim()
        self.wait_phase("up", "Complete")
        self.assertEqual(self.states("up"), {"demo": "Succeeded", "second": "Succeeded"})
        for name in "demo", "second":
            database, user = self.database(name)
            rows = self.mariadb(user, self.secret(f"{name}-mysql", user), "SELECT who FROM moves", database).stdout
            self.assertEqual(rows, f"{user}@%\n", "once, as the user whose database it is")
            now = self.instance_status(name)["activeAppServers"]
            self.assertNotEqual(now, first[name])
            self.assertEqual(len(now), 1)
            self.assertEqual(self.instance_status(name)["appServersMade"], 2, "one new AppServer each, and no more")
            self.assertIn("Moved", self.wait_served(f"{name}.example.test"))
        table = self.stage.kubectl("get", "redeployments", "-n", "campus").stdout.splitlines()
        self.assertEqual(table[0].split(), ["NAME", "PHASE", "TOTAL", "PENDING", "ONGOING", "SUCCEEDED", "FAILED", "AGE"])
        self.assertEqual(table[1].split()[:7], ["up", "Complete", "2", "0", "0", "2", "0"])
        wait_for("no script is left", lambda: self.stage.get("databasescripts", "-n", "campus")["items"] == [], 60)
        wait_for("events tell of both", lambda: len(self.events("InstanceRedeployed")) >= 2, 60)
        self.assertEqual(len(self.events("InstanceRedeployed")), 2)

    def test_03_a_failure_pauses_the_rest(self):
        self.stage.apply(self.redeployment("bad", batchSize=1, patch={
            "configuration": {"extraVars": {"DEMO_FAIL": True}}, "rollout": {"attempts": 1}}))
        self.wait_phase("bad", "Paused")
        self.assertEqual(self.states("bad"), {"demo": "Failed", "second": "Pending"})
        message = self.condition("redeployment", "bad")["message"]
        self.assertIn("pauseOnFailures", message)
        self.wait_served()
        self.assertNotIn("DEMO_FAIL", str(self.stage.get("instance", "second", "-n", "campus")["spec"]))
        undo = self.stage.get("instance", "demo", "-n", "campus")["metadata"]["annotations"][
            "ocim.opencraft.com/redeployment-undo"]
        self.stage.kubectl("patch", "instance", "demo", "-n", "campus", "--type=merge", "-p", f'{{"spec":{undo}}}')
        self.assertNotIn("DEMO_FAIL", str(self.stage.get("instance", "demo", "-n", "campus")["spec"]))
        self.stage.kubectl("delete", "redeployment", "bad", "-n", "campus")

    def test_04_what_cannot_be_is_refused_with_a_reason(self):
        refused = (
            ({"patch": {"relase": "x"}}, "spec.patch.relase"),
            ({"patch": {"subdomain": "x"}}, "spec.patch.subdomain"),
            ({"batchSize": 0}, "spec.batchSize"),
            ({"interval": "soon"}, "spec.interval"),
            ({"sqlBefore": {"statements": []}}, "spec.sqlBefore.statements"),
            ({"selector": {"matchFields": [{"key": "release", "operator": "Exists"}]}}, "must be a path below"),
            ({"selector": {"matchFields": [{"key": "spec.release", "operator": "In"}]}}, "values are needed"),
        )
        for spec, words in refused:
            self.assertIn(words, self.refusal(self.redeployment("other", **spec)), spec)
        run = self.stage.kubectl("patch", "redeployment", "up", "-n", "campus", "--type=merge", "-p",
                                 '{"spec":{"selector":{"matchLabels":{"a":"b"}}}}', check=False)
        self.assertIn("cannot be changed once it has begun", run.stderr)


if __name__ == "__main__":
    unittest.main()
