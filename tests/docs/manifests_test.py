#!/usr/bin/python3
"""Every whole manifest that a page shows is taken by the server as it is."""
import json
import pathlib
import sys
import unittest

import yaml

from pages import ROOT, blocks, name, written

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from support import OcimTest  # noqa: E402

GROUP = "ocim.opencraft.com/"
SERVED = {yaml.safe_load(file.read_text())["spec"]["names"]["kind"] for file in (ROOT / "crd-schemas").glob("*.yaml")}


def manifests(page):
    """Those of our kinds, with something where the page leaves it out; of a part of one nobody can say whether it
    is right, and names_test.py tells of kinds that are not served."""
    for language, block in blocks(page.read_text()):
        if language == "yaml":
            for item in yaml.safe_load_all(block.replace("…", "A")):
                if isinstance(item, dict) and str(item.get("apiVersion", "")).startswith(GROUP) and item["kind"] in SERVED:
                    yield item


class Manifests(OcimTest):
    def test_each_is_accepted(self):
        known, count = {"default"}, 0
        for page in written():
            for item in manifests(page):
                with self.subTest(page=name(page), kind=item["kind"]):
                    namespace = item["metadata"].get("namespace", "default")
                    if namespace not in known:
                        self.kubectl("create", "namespace", namespace)
                        known.add(namespace)
                    done = self.ocim.kubectl("create", "--validate=strict", "--dry-run=server", "-f", "-",
                                             stdin=json.dumps(item), check=False)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    count += 1
        self.assertGreater(count, 1, "hardly a manifest was found")


if __name__ == "__main__":
    unittest.main()
