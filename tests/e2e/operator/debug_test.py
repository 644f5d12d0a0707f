#!/usr/bin/python3
"""/debug of `ocim controller`: for who asks from its own machine, and by no proxy."""
import http.client
import json
import pathlib
import signal
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "script"), str(ROOT / "tests")]
from stage import OCIM, Stage, wait_for  # noqa: E402


class OperatorDebug(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        cls.addClassCleanup(folder.cleanup)
        cls.stage = Stage(pathlib.Path(folder.name) / "stage")
        cls.addClassCleanup(cls.stop)
        cls.stage.start_serve("api", "api_metrics", "--no-controllers")
        for name in "one", "two":
            cls.stage.start(name, [OCIM, "controller", "--data-dir", cls.stage.path(name), "--kubeconfig", cls.stage.kubeconfig,
                                   "--metrics-listen", f"127.0.0.1:{cls.stage.port(name)}"])
            cls.stage.wait_until_up(name, lambda: cls.stage.is_ready(name))

    @classmethod
    def stop(cls):
        for name in reversed(list(cls.stage.processes)):
            cls.stage.stop(name, signal.SIGKILL)

    def ask(self, name, path, source="127.0.0.1", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.stage.port(name), timeout=20, source_address=(source, 0))
        try:
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def test_who_asks_from_here_is_told_by_the_one_that_leads(self):
        asked = lambda: {name: self.ask(name, "/debug/queues") for name in ("one", "two")}  # noqa: E731
        wait_for("one of them leads", lambda: 200 in [code for code, _ in asked().values()], 60)
        answers = sorted(asked().values(), key=lambda answer: answer[0])
        self.assertEqual([code for code, _ in answers], [200, 503])
        self.assertIn("dnsrecord", [item["controller"] for item in answers[0][1]["items"]])
        self.assertIn("ask the one that leads", answers[1][1]["message"])

    def test_nobody_else_is(self):
        for reason, options in [("another address", {"source": "127.0.0.2"}), ("a proxy", {"X-Forwarded-For": "192.0.2.1"}),
                                ("another proxy", {"Forwarded": "for=192.0.2.1"}), ("a third", {"Via": "1.1 door"})]:
            code, told = self.ask("one", "/debug/queues", **options)
            self.assertEqual((code, told["reason"]), (403, "Forbidden"), reason)


if __name__ == "__main__":
    unittest.main()
