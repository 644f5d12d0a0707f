#!/usr/bin/python3
"""docs/reference/ is what script/reference makes of the CRDs of today, and holds each of their fields."""
import pathlib
import subprocess
import tempfile
import unittest

import yaml

from pages import DOCS, ROOT

REFERENCE = DOCS / "reference"


def paths(schema, path):
    """Every field below, by a walk of our own."""
    for key, value in schema.get("properties", {}).items():
        yield f"{path}.{key}", value
        yield from paths(value, f"{path}.{key}")
    for key, more in (("items", "[]"), ("additionalProperties", ".KEY")):
        if isinstance(schema.get(key), dict):
            yield from paths(schema[key], path + more)


def definitions():
    for file in sorted((ROOT / "crd-schemas").glob("*.yaml")):
        yield yaml.safe_load(file.read_text())["spec"]


class Reference(unittest.TestCase):
    maxDiff = None

    def test_it_is_what_the_crds_say(self):
        with tempfile.TemporaryDirectory(prefix="ocim-reference-") as folder:
            subprocess.run([ROOT / "script" / "reference", folder], check=True)
            made = {file.name: file.read_text() for file in pathlib.Path(folder).iterdir()}
        there = {file.name: file.read_text() for file in REFERENCE.iterdir()}
        differ = [name for name in sorted(made.keys() | there.keys()) if made.get(name) != there.get(name)]
        self.assertEqual(differ, [], "run script/reference")

    def test_every_field_has_its_row(self):
        for crd in definitions():
            page = (REFERENCE / f"{crd['names']['singular']}.md").read_text()
            for path, field in paths(crd["versions"][0]["schema"]["openAPIV3Schema"], ""):
                rows = [line for line in page.splitlines() if line.startswith(f"| `{path[1:]}` |")]
                self.assertEqual(len(rows), 1, f"{crd['names']['kind']}{path}")
                words = rows[0].replace("\\", "")
                self.assertEqual("| required" in words, self.is_required(crd, path), rows[0])
                for value in field.get("enum", []):
                    self.assertIn(f"`{value}`" if value else '`""`', words)
                rules = field.get("x-kubernetes-validations", [])
                self.assertEqual("**immutable**" in words, any(one["rule"] == "self == oldSelf" for one in rules), words)
                for said in (field.get("description", ""), *(one["message"] for one in rules)):
                    self.assertIn(" ".join(said.split()).replace("\\", ""), words)

    @staticmethod
    def is_required(crd, path):
        schema = crd["versions"][0]["schema"]["openAPIV3Schema"]
        *way, last = path[1:].replace("[]", ".[]").split(".")
        for step in way:
            schema = (schema["items"] if step == "[]" else schema["additionalProperties"] if step == "KEY"
                      else schema["properties"][step])
        return last in schema.get("required", [])

    def test_every_column_and_short_name_is_there(self):
        for crd in definitions():
            page = (REFERENCE / f"{crd['names']['singular']}.md").read_text()
            for short in crd["names"].get("shortNames", []):
                self.assertIn(f"`{short}`", page)
            for column in crd["versions"][0].get("additionalPrinterColumns", []):
                self.assertIn(f"| {column['name']} | `{column['jsonPath']}` |", page)


if __name__ == "__main__":
    unittest.main()
