#!/usr/bin/python3
"""/debug of `ocim controller`: at its own port for who may see it; without one for who asks from its own machine."""
import http.client
import json
import pathlib
import signal
import ssl
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "script"), str(ROOT / "tests")]
from stage import OCIM, Stage, wait_for  # noqa: E402


LEADS = b'leader_election_master_status{name="ocim-controller"} 1'


class OperatorDebug(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        cls.addClassCleanup(folder.cleanup)
        cls.stage = Stage(pathlib.Path(folder.name) / "stage")
        cls.addClassCleanup(cls.stop)
        cls.stage.start_serve("api", "api_metrics", "--no-controllers")
        cls.start("one", "--listen", f"127.0.0.1:{cls.stage.port('door')}")
        wait_for("it leads", lambda: cls.leads("one"), 60)
        cls.start("two")

    @classmethod
    def start(cls, name, *flags):
        cls.stage.start(name, [OCIM, "controller", "--data-dir", cls.stage.path(name), "--kubeconfig", cls.stage.kubeconfig,
                               "--metrics-listen", f"127.0.0.1:{cls.stage.port(name)}", *flags])
        cls.stage.wait_until_up(name, lambda: cls.stage.is_ready(name))

    @classmethod
    def leads(cls, name):
        return LEADS in cls.ask(name, "/metrics")[1]

    @classmethod
    def stop(cls):
        for name in reversed(list(cls.stage.processes)):
            cls.stage.stop(name, signal.SIGKILL)

    @classmethod
    def ask(cls, name, path, source="127.0.0.1", **headers):
        """Of the port of the metrics, or of the door: status and body."""
        if name == "door":
            connection = http.client.HTTPSConnection("127.0.0.1", cls.stage.port(name), timeout=20,
                                                     context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", cls.stage.port(name), timeout=20, source_address=(source, 0))
        try:
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def token_of(self, name, *urls):
        """Of an account that may get these."""
        kubectl = self.stage.kubectl
        kubectl("create", "serviceaccount", name, "-n", "default")
        if urls:
            kubectl("create", "clusterrole", name, "--verb=get", *(f"--non-resource-url={url}" for url in urls))
            kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount=default:{name}")
        return {"Authorization": "Bearer " + kubectl("create", "token", name, "-n", "default").stdout.strip()}

    def test_1_the_door_lets_in_who_may(self):
        code, told = self.ask("door", "/debug/queues", **self.token_of("dora", "/debug", "/debug/*"))
        self.assertEqual(code, 200, told)
        self.assertIn("dnsrecord", [item["controller"] for item in json.loads(told)["items"]])
        self.assertEqual(self.ask("door", "/debug/queues", **self.token_of("nora"))[0], 403)
        self.assertEqual(self.ask("door", "/debug/queues", **self.token_of("mona", "/metrics"))[0], 403)
        self.assertEqual(self.ask("door", "/debug/queues")[0], 401)
        self.assertEqual(self.ask("one", "/debug/queues")[0], 404, "there is no other way in")

    def test_2_without_a_door_who_asks_from_here_is_answered(self):
        code, told = self.ask("two", "/debug/queues")
        self.assertEqual(code, 503)
        self.assertIn(b"ask the one that leads", told)
        for reason, options in [("another address", {"source": "127.0.0.2"}), ("a proxy", {"X-Forwarded-For": "192.0.2.1"}),
                                ("another proxy", {"Forwarded": "for=192.0.2.1"}), ("a third", {"Via": "1.1 door"})]:
            code, told = self.ask("two", "/debug/queues", **options)
            self.assertEqual((code, json.loads(told)["reason"]), (403, "Forbidden"), reason)
        self.stage.stop("one")
        wait_for("two leads", lambda: self.ask("two", "/debug/queues")[0] == 200, 60)


if __name__ == "__main__":
    unittest.main()
