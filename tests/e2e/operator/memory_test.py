#!/usr/bin/python3
"""A cluster's Secrets are everybody's: the memory of `ocim controller` does not grow with those that are not ours, neither when it
lists them nor when they change under its eyes.

OCIM_SCALE=full has 20,000 Secrets of 10 KiB instead of 3,000."""
import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import secrets
import ssl
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "script")]
from stage import OCIM, Stage, wait_for  # noqa: E402

COUNT = 20_000 if os.environ.get("OCIM_SCALE") == "full" else 3_000
BYTES = 10 * 1024
CLIENTS = 6
# what may be held of all that passed through: a few pages, whatever its size. To keep it would be 1.4 and more, as it is in base64.
SHARE = 0.2 if COUNT > 10_000 else 1.2
READY = 120


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.stage = Stage(pathlib.Path(cls.folder.name) / "stage")
        cls.addClassCleanup(lambda: [cls.stage.stop(name) for name in list(cls.stage.processes)])
        cls.stage.start_serve("api", "api_metrics", "--no-controllers")
        cls.stage.make_controller_account()
        cls.stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "others"}})
        user = yaml.safe_load(cls.stage.kubeconfig.read_text())
        cls.address = user["clusters"][0]["cluster"]["server"].removeprefix("https://")
        paths = {}
        for name, data in (("ca", user["clusters"][0]["cluster"]["certificate-authority-data"]),
                           ("crt", user["users"][0]["user"]["client-certificate-data"]),
                           ("key", user["users"][0]["user"]["client-key-data"])):
            paths[name] = cls.stage.path(f"admin.{name}")
            paths[name].touch(mode=0o600)
            paths[name].write_bytes(base64.b64decode(data))
        cls.context = ssl.create_default_context(cafile=paths["ca"])
        cls.context.load_cert_chain(paths["crt"], paths["key"])

    def write_all(self, method, make):
        """One call for each Secret, from several clients."""
        def some(client):
            connection = http.client.HTTPSConnection(self.address, context=self.context, timeout=60)
            for number in range(client, COUNT, CLIENTS):
                path, body = make(number)
                connection.request(method, path, body=json.dumps(body), headers={"Content-Type": TYPES[method]})
                reply = connection.getresponse()
                text = reply.read()
                assert reply.status // 100 == 2, text
            connection.close()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(some, range(CLIENTS)))

    def start(self):
        self.stage.start("ocim", [OCIM, "controller", "--data-dir", self.stage.path("ocim"), "--kubeconfig",
                                  self.stage.controller_kubeconfig, "--metrics-listen",
                                  f"127.0.0.1:{self.stage.port('metrics')}"])
        self.stage.wait_until_up("ocim", lambda: self.stage.is_ready("metrics"))
        log = self.stage.path("log", "ocim.log")
        self.starts = getattr(self, "starts", 0) + 1
        wait_for("it follows every kind", lambda: log.read_text().count("controllers started") >= self.starts, READY)

    def memory(self, field):
        status = pathlib.Path(f"/proc/{self.stage.processes['ocim'].pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field + ":"))

    def seen(self):
        """How far the watch of Secrets must have come: a Secret of ours that was changed last is known by then."""
        self.stage.apply({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSZone", "metadata": {"name": "zone"}, "spec": {
            "domain": "example.test", "powerdns": {"url": "http://127.0.0.1:9"}, "credentialsRef": {"name": "last"}}})

        def message():
            found = self.stage.get("dnszone", "zone").get("status", {}).get("conditions", [])
            return next((c["message"] for c in found if c["type"] == "Ready"), "")
        wait_for("the zone misses its Secret", lambda: "\"last\" does not exist" in message(), READY)
        self.stage.apply(self.stage.secret("last", {"apiKey": "x"}))
        wait_for("the zone has its Secret", lambda: message() and "does not exist" not in message(), READY)

    def test_strangers_secrets_take_no_memory(self):
        self.start()
        empty = self.memory("VmRSS")
        self.stage.stop("ocim")
        self.write_all("POST", lambda number: ("/api/v1/namespaces/others/secrets", {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"foreign-{number}"},
            "data": {"value": base64.b64encode(secrets.token_bytes(BYTES)).decode()}}))
        total = COUNT * BYTES
        self.start()
        listed, peak = self.memory("VmRSS"), self.memory("VmHWM")
        self.write_all("PATCH", lambda number: (f"/api/v1/namespaces/others/secrets/foreign-{number}",
                                                {"metadata": {"labels": {"turn": "2"}}}))
        self.seen()
        changed = self.memory("VmRSS")
        print(f"{COUNT} Secrets, {total >> 20} MiB; resident: {empty >> 20} MiB without them, {listed >> 20} MiB with them "
              f"(peak {peak >> 20}), {changed >> 20} MiB after each was changed", flush=True)
        for what, now in ("listed", listed), ("at its peak", peak), ("changed", changed):
            self.assertLess(now - empty, SHARE * total, what)


TYPES = {"POST": "application/json", "PATCH": "application/merge-patch+json"}

if __name__ == "__main__":
    unittest.main(verbosity=2)
