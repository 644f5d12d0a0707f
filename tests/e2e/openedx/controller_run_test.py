#!/usr/bin/python3
"""Playbooks that run on the controller's host: as whom, what they see there, through a kill -9, and for whom never."""
import unittest

from case import READY, ROOT, Scenario, wait_for

LABEL = "ocim.opencraft.com/pull-request-watch"


class ControllerRun(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        of_class = next(m for m in cls.stage.manifests(ROOT / "manifests/samples/demo") if m["kind"] == "InstanceClass")
        of_class["spec"]["configuration"]["runOn"] = "Controller"
        cls.stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}}, of_class)

    def test_01_it_makes_a_site_and_goes_on_through_a_kill(self):
        looks = "echo $(id -un; id -u; cat {0}/ocim.db {0}/kubeconfig 2>&1; ls /root | wc -l)".format(self.stage.path("ocim"))
        self.stage.apply(self.instance(configuration={"extraVars": {
            "DEMO_EXTRA": "{{ lookup('pipe', '" + looks + "') }}", "DEMO_SECONDS": 8}}))
        wait_for("it runs for a while", lambda: (self.stage.get("provisioningrun", "demo-1-1", "-n", "campus") or {}).get(
            "status", {}).get("currentTask", "").startswith("run for a while"), READY)
        self.stage.kill("ocim")
        self.stage.start_ocim()
        self.wait_ready()
        body = self.wait_served()
        extra = next(line for line in body.splitlines() if line.startswith("extra:")).split()
        self.assertEqual(extra[1], "ocim")
        self.assertGreater(int(extra[2]), 65536, "a user that is nobody else")
        self.assertEqual(body.count("No such file or directory"), 2, "it sees none of our data")
        self.assertEqual(extra[-1], "0", "and nobody's home")
        self.assertEqual([a["metadata"]["name"] for a in self.stage.get("appserver", "-n", "campus")["items"]], ["demo-1"])
        run = self.stage.get("provisioningrun", "demo-1-1", "-n", "campus")
        self.assertEqual((run["spec"]["runOn"], len(run["status"]["commit"])), ("Controller", 40))

    def test_02_nothing_of_it_is_on_the_machine_and_its_key_is_gone(self):
        address = self.stage.get("appserver", "demo-1", "-n", "campus")["status"]["addresses"][0]
        self.assertEqual(self.ssh(address, "ls /var/lib/ocim/runs").stdout, "")
        folder, = self.stage.path("ocim").glob("runner/campus/runs/*/*")
        self.assertTrue((folder / "log").exists())
        self.assertFalse((folder / "key").exists())
        self.assertTrue((folder / "known_hosts").read_text().startswith(f"{address} ssh-"))

    def test_03_its_log_is_kept_as_any(self):
        kept = wait_for("the log is kept", lambda: self.stage.get("configmap", "demo-1-log", "-n", "campus"), 60)
        self.assertIn("PLAY RECAP", kept["data"]["log"])

    def test_04_an_instance_of_a_pull_request_is_refused(self):
        item = self.instance("pr1")
        item["metadata"]["labels"] = {LABEL: "team"}
        self.stage.apply(item)
        wait_for("it is refused", lambda: self.condition("instance", "pr1")["reason"] == "RefusedOnController", 120)
        self.assertIn("PullRequestWatch", self.condition("instance", "pr1")["message"])
        self.assertEqual(self.condition("instance", "pr1", "Stalled")["status"], "True")
        self.assertIsNone(self.stage.get("appserver", "pr1-1", "-n", "campus"))

    def test_05_deleted_its_folder_goes(self):
        self.stage.kubectl("delete", "instance", "demo", "pr1", "-n", "campus", "--timeout=300s", seconds=330)
        self.assertEqual(list(self.stage.path("ocim").glob("runner/campus/runs/*/*")), [])
        self.assertEqual(self.machines(), ([], []))


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
