#!/usr/bin/python3
"""Two programs of one host that want networks at the same moment: each has its own, or the second is told who was first."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "script"))
from stage import OCIM  # noqa: E402

RAISE = """
import sys
sys.path.insert(0, sys.argv[1])
from replicas import stage_class
stage = stage_class()(sys.argv[2])
stage.raise_cloud()
print(stage.facts["SUBNET"], flush=True)
sys.stdin.read()
stage.lower_curtain()
"""


class Networks(unittest.TestCase):
    def bridges(self):
        shown = subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, text=True, check=True).stdout
        return {link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]] for link in json.loads(shown)}

    def test_of_two_that_want_one_network_the_first_has_it(self):
        wanted = {"ocbtest-a": "10.255.213.1/24", "ocbtest-b": "10.255.213.129/25"}
        for turn in range(20):
            try:
                makers = {name: subprocess.Popen([OCIM, "machine", "bridge", name, address], stderr=subprocess.PIPE, text=True)
                          for name, address in wanted.items()}
                said = {name: maker.communicate(timeout=30)[1] for name, maker in makers.items()}
                won = [name for name, maker in makers.items() if maker.returncode == 0]
                self.assertEqual(len(won), 1, f"turn {turn}: {said}")
                lost = next(name for name in wanted if name not in won)
                self.assertIn(f"is taken on this host, by {won[0]}", said[lost])
                there = {name: addresses for name, addresses in self.bridges().items() if name in wanted}
                self.assertEqual(there, {won[0]: [wanted[won[0]]]})
                again = subprocess.run([OCIM, "machine", "bridge", won[0], wanted[won[0]]], capture_output=True, text=True)
                self.assertEqual((again.returncode, again.stderr), (0, ""), "the first may ask again")
            finally:
                for name in wanted:
                    subprocess.run([OCIM, "machine", "unbridge", name], check=True)

    def test_two_stages_at_once_have_two_networks(self):
        with tempfile.TemporaryDirectory(prefix="ocim-e2e-") as folder:
            stages = [subprocess.Popen([sys.executable, "-c", RAISE, ROOT / "script", pathlib.Path(folder) / name],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                      for name in ("a", "b", "c")]
            try:
                networks = [stage.stdout.readline().strip() for stage in stages]
            finally:
                errors = [stage.communicate(timeout=120)[1] for stage in stages]
            self.assertEqual(len(set(networks)), 3, f"{networks} {errors}")
            self.assertNotIn("", networks, errors)
            left = [addresses for addresses in self.bridges().values() for network in networks
                    if network.removesuffix("0/24") + "1/24" in addresses]
            self.assertEqual(left, [], "a network without machines goes with its stage")


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
