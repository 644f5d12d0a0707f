#!/usr/bin/python3
"""`ocim controller` goes on, without a restart, when its token is replaced in its file and the API server refuses the one before."""
import pathlib
import signal
import ssl
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "script"), str(ROOT / "tests")]
from stage import Stage, wait_for  # noqa: E402
from support.api_proxy import ApiProxy  # noqa: E402

DOMAIN = "example.test"
FOLLOWED = 60  # s, ten times what it takes


class TokenFileStage(Stage):
    """Its controllers read their token from a file."""

    def make_controller_account(self):
        super().make_controller_account()
        self.proxy = ApiProxy(self.kubeconfig, self.path("proxy", "x").parent, token=self.controller_token).__enter__()
        self.token_file = self.path("controller-token")
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(self.controller_token)
        document = yaml.safe_load(self.proxy.kubeconfig.read_text())
        document["users"][0]["user"] = {"tokenFile": str(self.token_file)}
        self.controller_kubeconfig.write_text(yaml.safe_dump(document))

    def replace_account(self):
        """All tokens of the former one are void. Returns one of the new."""
        self.kubectl("delete", "serviceaccount", "ocim", "-n", "ocim-system")
        self.kubectl("create", "serviceaccount", "ocim", "-n", "ocim-system")
        return self.kubectl("create", "token", "ocim", "-n", "ocim-system").stdout.strip()


class TokenFile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        self.addCleanup(folder.cleanup)
        self.stage = TokenFileStage(pathlib.Path(folder.name) / "stage")
        self.addCleanup(self.end)
        self.stage.start_powerdns(DOMAIN)
        self.stage.start_operator()

    def end(self):
        for name in reversed(list(self.stage.processes)):
            self.stage.stop(name, signal.SIGKILL)
        if hasattr(self.stage, "proxy"):
            self.stage.proxy.__exit__()

    def declare(self, address):
        self.stage.apply({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord",
                          "metadata": {"name": "www", "namespace": "default"},
                          "spec": {"zoneRef": {"name": "zone"}, "name": f"www.{DOMAIN}", "type": "A", "values": [address]}})

    def served(self):
        sets = self.stage.powerdns_api("GET", f"/zones/{DOMAIN}.")["rrsets"]
        return [item["records"][0]["content"] for item in sets if item["type"] == "A"]

    def is_refused(self, token):
        request = urllib.request.Request(f"https://127.0.0.1:{self.stage.port('api')}/api/v1/namespaces/default",
                                         headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()):
                return False
        except urllib.error.HTTPError as error:
            return error.code == 401

    def refusals(self):
        return sum(count for (_, _, status), count in self.stage.proxy.answers.items() if status == 401)

    def test_is_read_anew(self):
        facts = self.stage.facts
        self.stage.apply(
            self.stage.secret("powerdns", {"apiKey": facts["POWERDNS_KEY"]}),
            {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSZone", "metadata": {"name": "zone"}, "spec": {
                "domain": DOMAIN, "powerdns": {"url": f"http://127.0.0.1:{facts['POWERDNS_PORT']}"},
                "credentialsRef": {"name": "powerdns"}}})
        self.declare("192.0.2.1")
        wait_for("it is followed", lambda: self.served() == ["192.0.2.1"], FOLLOWED)
        process, token = self.stage.processes["ocim"], self.stage.controller_token
        for turn in range(2, 5):
            fresh, before = self.stage.replace_account(), self.refusals()
            wait_for("the former token is refused", lambda: self.is_refused(token), FOLLOWED)
            self.stage.proxy.cut()  # watches that were open would go on
            wait_for("its own calls are refused", lambda: self.refusals() > before, FOLLOWED)
            self.stage.token_file.write_text(fresh)
            token, begun = fresh, time.monotonic()
            self.declare(f"192.0.2.{turn}")
            wait_for("what changes is followed", lambda: self.served() == [f"192.0.2.{turn}"], FOLLOWED)
            print(f"followed {time.monotonic() - begun:.1f} s after the file was written")
            self.assertIsNone(process.poll(), "without a restart")
        self.assertNotIn(token, self.stage.path("log", "ocim.log").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
