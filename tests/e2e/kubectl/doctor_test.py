#!/usr/bin/python3
"""`ocim doctor` and `ocim explain-status` of what is not Ready for long and says that it goes on by itself."""
import datetime
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PROGRAM, OcimTest  # noqa: E402

VERSION = "ocim.opencraft.com/v1alpha1"
REASON = "AuthenticationFailed"


class Doctor(OcimTest):
    def stands(self, minutes):
        """A GitSource that its repository refuses for so long; all else is well."""
        since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes)
        source = {"apiVersion": VERSION, "kind": "GitSource", "metadata": {"name": "fleet"},
                  "spec": {"repository": "https://git.example.com/fleet.git"}}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(source))
        said = {"type": "Ready", "status": "False", "reason": REASON, "message": "wrong token",
                "lastTransitionTime": since.strftime("%Y-%m-%dT%H:%M:%SZ"), "observedGeneration": 1}
        self.kubectl("patch", "gitsource", "fleet", "--subresource=status", "--type=merge", "-p",
                     json.dumps({"status": {"conditions": [said]}}))

    def said(self, *words):
        return self.ocim.run(PROGRAM, *words).stdout

    def test_what_is_not_ready_for_long_is_named(self):
        self.stands(11)
        told = self.said("doctor")
        self.assertRegex(told, r"warn  gitsource/fleet -n default is not ready for 11m\w*: AuthenticationFailed: wrong token\n"
                               r"      next: it is for whoever declared this: .*credentialsRef; ocim explain-status gitsource/fleet")
        self.assertNotIn("All is well", told)
        self.assertNotIn("under way", told)
        self.assertIn("must act:   whoever declared this: the repository refuses us",
                      self.said("explain-status", "gitsource/fleet"))

    def test_what_is_not_ready_yet_is_under_way(self):
        self.stands(1)
        told = self.said("doctor")
        self.assertNotIn("gitsource/fleet", told)
        self.assertIn("0 objects are ready, 1 under way", told)


if __name__ == "__main__":
    unittest.main()
