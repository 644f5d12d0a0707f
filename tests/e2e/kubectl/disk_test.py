#!/usr/bin/python3
"""A disk that is full or broken below a server that runs: writes are refused and say why, reads and watches go on, and
all is well by itself when the disk is."""
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import KUBECTL, PROGRAM, Ocim, wait_until  # noqa: E402

SHIM = pathlib.Path(PROGRAM).parent / "tests" / "support" / "libocim_test_disk_shim.so"
TROUBLES = {"full": "free some space on its disk", "broken": "mend its disk", "unsynced": "mend its disk"}


class Disk(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        linked = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, timeout=60, check=True).stdout
        if "asan" in linked or "tsan" in linked:
            self.skipTest("a sanitizer wants to be loaded first")
        self.ocim = Ocim()
        self.addCleanup(self.ocim.close)
        self.trouble = self.ocim.home / "trouble"
        for name, value in ("LD_PRELOAD", str(SHIM)), ("OCIM_DISK_TROUBLE", str(self.trouble)):
            os.environ[name] = value
            self.addCleanup(os.environ.pop, name)
        self.ocim.start()

    def create(self, name):
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
        return self.ocim.request("POST", "/api/v1/namespaces/default/configmaps", body,
                                 {"Content-Type": "application/json"})

    def names(self):
        return self.ocim.kubectl("get", "cm", "-o", "name").stdout.split()

    def test_writes_are_refused_reads_go_on_and_it_heals_by_itself(self):
        out = open(self.ocim.home / "watch", "w", encoding="utf-8")
        self.addCleanup(out.close)
        self.assertEqual(self.create("begun")[0], 201)
        watch = subprocess.Popen([KUBECTL, "get", "cm", "-w", "-o", "name"], stdout=out, env=self.ocim.environment)
        self.addCleanup(watch.wait)
        self.addCleanup(watch.kill)
        seen = pathlib.Path(out.name)
        expected = ["configmap/begun"]
        # what is there when it begins comes in the order of names, only what comes later in its own
        wait_until(lambda: seen.read_text().split() == expected, "the watch has begun")
        for word, next_step in TROUBLES.items():
            self.assertEqual(self.create(f"before-{word}")[0], 201)
            expected.append(f"configmap/before-{word}")
            self.trouble.write_text(word)
            for _ in range(2):
                status, headers, body = self.create(f"during-{word}")
                said = json.loads(body)
                self.assertEqual((status, said["reason"], headers["Retry-After"]), (503, "ServiceUnavailable", "1"), said)
                self.assertIn("ocim.db", said["message"])
                self.assertIn(next_step, said["message"])
            self.assertEqual(sorted(self.names()), sorted(expected), "reads go on")
            self.assertEqual(self.ocim.request("GET", "/readyz")[0], 200)
            self.trouble.unlink()
            self.assertEqual(self.create(f"after-{word}")[0], 201)
            expected.append(f"configmap/after-{word}")
            wait_until(lambda: seen.read_text().split() == expected, "the watch goes on, and saw what was stored")
        self.assertEqual(self.ocim.log.read_text().count("writes are refused"), len(TROUBLES), "said once each time")
        self.ocim.kill()
        self.ocim.start()
        self.assertEqual(sorted(self.names()), sorted(expected))


if __name__ == "__main__":
    unittest.main()
