#!/usr/bin/python3
"""Where sites go: servers that a class selects by labels, one with room for one site, another that is closed, and what a
person reads meanwhile. Sites stay where they are when labels and rooms change."""
import json
import unittest

from case import READY, ROOT, Scenario, wait_for


class Placement(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        demo, = [item for item in cls.stage.get("databaseserver")["items"] if item["metadata"]["name"] == "demo"]
        cls.patch("databaseserver", "demo", {"metadata": {"labels": {"zone": "far"}}}, namespace=None)
        cls.stage.apply(*(cls.server(demo, name, **spec) for name, spec in
                          {"small": {"maxInstances": 1}, "closed": {"acceptsNewTenants": False}}.items()))
        site = cls.stage.manifests(ROOT / "manifests/samples/demo")
        for item in site:
            if item["kind"] == "InstanceClass":
                item["spec"]["placement"]["mysql"] = {
                    "matchLabels": {"tier": "demo"}, "matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["far"]}]}
        cls.stage.apply(*(item for item in site if item["kind"] != "Instance"))

    @staticmethod
    def server(like, name, **spec):
        """The same MariaDB by another name."""
        return {"apiVersion": like["apiVersion"], "kind": like["kind"],
                "metadata": {"name": name, "labels": {"tier": "demo", "zone": "near"}}, "spec": {**like["spec"], **spec}}

    def declare(self, name):
        self.stage.apply(self.instance(name, rollout={"strategy": "Manual"}))

    def wait_placed(self, name, server):
        wait_for(f"{name} is placed at {server}", lambda: self.place_of(name) == server, READY)

    def place_of(self, name):
        return self.instance_status(name).get("placement", {}).get("mysql")

    def wait_said(self, name, reason, *words):
        def said():
            ready = self.condition("instance", name)
            return ready["reason"] == reason and all(word in ready["message"] for word in words)
        try:
            wait_for(f"{name} says {reason}", said, READY)
        except Exception as error:
            self.fail(f"{error}\n{self.condition('instance', name)}")

    def test_01_the_class_selects_by_labels(self):
        self.declare("first")
        self.wait_placed("first", "small")

    def test_02_who_finds_no_room_reads_why(self):
        self.declare("second")
        self.wait_said("second", "BackendsFull", "small is full, with 1 of 1 Instances", "closed accepts no new tenants",
                       "demo has not the labels tier=demo,zone notin (far)", "spec.placement of the InstanceClass")
        self.assertIsNone(self.place_of("second"), "all of it is chosen, or nothing")

    def test_03_room_is_taken_when_there_is_some(self):
        self.patch("databaseserver", "small", {"spec": {"maxInstances": 2}}, namespace=None)
        self.wait_placed("second", "small")

    def test_04_who_is_there_stays(self):
        self.patch("databaseserver", "small", {"metadata": {"labels": {"zone": "far"}}, "spec": {"maxInstances": 0}},
                   namespace=None)
        self.patch("databaseserver", "closed", {"spec": {"acceptsNewTenants": True}}, namespace=None)
        self.declare("third")
        self.wait_placed("third", "closed")
        self.assertEqual([self.place_of(name) for name in ("first", "second")], ["small", "small"])

    def test_05_a_selector_that_is_none_is_refused(self):
        patch = {"spec": {"placement": {"mysql": {"matchExpressions": [{"key": "zone", "operator": "In"}]}}}}
        run = self.stage.kubectl("patch", "instanceclass", "demo", "--type=merge", "-p", json.dumps(patch),
                                 check=False)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("spec.placement.mysql.matchExpressions[0]", run.stderr)
        self.assertIn("values are needed for In and NotIn", run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
