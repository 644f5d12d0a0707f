#!/usr/bin/python3
"""`ocim logs` of an Instance, and since when: against logs as a controller has gathered them."""
import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PROGRAM, Ocim, OcimTest, wait_until  # noqa: E402

VERSION = "ocim.opencraft.com/v1alpha1"
OLD, NEW = "PLAY [one]\n", "ok: [two]\nPLAY RECAP\n"


class Logs(OcimTest):
    @classmethod
    def setUpClass(cls):
        cls.ocim = Ocim(controllers=True)
        cls.addClassCleanup(cls.ocim.close)
        cls.ocim.start()
        # demo-10 is newer than demo-9, and was made in the same second or later; demo-11 has no log yet
        for name in "demo-9", "demo-10", "demo-11":
            cls.make("AppServer", name, {"instanceName": "demo"})
        for name, second in ("demo-9", -7200), ("demo-10", -3600):
            cls.gathered(name, second)

    @classmethod
    def make(cls, kind, name, spec, status=None):
        made = {"apiVersion": VERSION, "kind": kind, "spec": spec, "metadata": {
            "name": name, "namespace": "default", "annotations": {"ocim.opencraft.com/paused": "true"}}}
        out = json.loads(cls.ocim.kubectl("apply", "-o", "json", "-f", "-", stdin=json.dumps(made)).stdout)
        if status:
            cls.ocim.kubectl("patch", kind.lower(), name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
        return out

    @classmethod
    def gathered(cls, name, second):
        """A run that has ended; its log came in two parts: one then, one now."""
        run = cls.make("ProvisioningRun", f"{name}-1", {
            "machineRef": {"name": "m"}, "variablesRef": {"name": "v", "key": "k"},
            "ansible": {"repository": "https://git.example.com/playbooks.git", "version": "main", "playbook": "site.yml"}},
            {"phase": "Succeeded"})
        cls.ocim.kubectl("patch", "appserver", name, "--subresource=status", "--type=merge", "-p",
                         json.dumps({"status": {"phase": "Running", "provision": {"run": f"{name}-1"}}}))
        folder = cls.ocim.data / "logs" / "default" / f"{name}-1" / run["metadata"]["uid"]
        folder.mkdir(parents=True)
        (folder / "0000000000000000.log").write_text(name + " " + OLD + NEW)
        now, first = int(time.time()), len(name + " " + OLD)
        (folder / "times").write_text(f"0 {now + second}\n{first} {now}\n")
        (folder / "position").write_text(f"{first + len(NEW)} {first + len(NEW)} {now}\n")

    def logs(self, *words):
        done = self.ocim.run(PROGRAM, "logs", *words, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_since(self):
        self.assertEqual(self.logs("appserver/demo-9"), (0, "demo-9 " + OLD + NEW, ""))
        self.assertEqual(self.logs("appserver/demo-9", "--since", "1h"), (0, NEW, ""))
        self.assertEqual(self.logs("appserver/demo-9", "--since", "3h"), (0, "demo-9 " + OLD + NEW, ""))
        self.assertEqual(self.logs("appserver/demo-9", "--since", "1h", "--tail", "1"), (0, "PLAY RECAP\n", ""))
        wait_until(lambda: self.logs("appserver/demo-9", "--since", "1s") == (0, "", ""), "nothing came within a second")
        for since in "0s", "soon":
            code, out, errors = self.logs("appserver/demo-9", "--since", since)
            self.assertEqual((code != 0, out), (True, ""), since)
            self.assertIn("--since", errors)
        path = f"/apis/{VERSION}/namespaces/default/appservers/demo-9/log?sinceSeconds="
        self.assertEqual(self.kubectl("get", "--raw", path + "3600"), NEW)
        self.assertIn("sinceSeconds", self.refused("get", "--raw", path + "-1"))
        self.assertEqual(self.kubectl("get", "--raw", path + "9223372036854775807"), "demo-9 " + OLD + NEW)

    def test_an_instance_has_those_of_its_appservers(self):
        code, out, errors = self.logs("instance/demo")
        self.assertEqual((code, out), (1, ""), "the newest has none yet, and that is said")
        self.assertIn("demo-11 has no log yet", errors)
        code, out, errors = self.logs("oi/demo", "--all")
        self.assertEqual(out, f"==> appserver/demo-9 <==\ndemo-9 {OLD}{NEW}\n==> appserver/demo-10 <==\ndemo-10 {OLD}{NEW}\n"
                              "==> appserver/demo-11 <==\n")
        self.assertEqual(code, 0)
        self.assertIn("demo-11 has no log yet", errors)
        self.assertEqual(self.logs("instances/demo", "--all", "--since", "10m")[1],
                         f"==> appserver/demo-9 <==\n{NEW}\n==> appserver/demo-10 <==\n{NEW}\n==> appserver/demo-11 <==\n")

    def test_what_cannot_be_shown_is_refused_with_its_reason(self):
        for words, said in ((("instance/nobody",), 'no AppServer of an instance "nobody" is in namespace default'),
                            (("instance/demo", "-n", "elsewhere"), "is in namespace elsewhere"),
                            (("appserver/demo-9", "--all"), "--all: of an instance"),
                            (("dnsrecord/www",), "only appservers have logs"), ((), "say whose log")):
            code, out, errors = self.logs(*words)
            self.assertEqual((code != 0, out), (True, ""), words)
            self.assertIn(said, errors)


if __name__ == "__main__":
    unittest.main()
