#!/usr/bin/python3
"""Every field of every CRD of ours says what it is: `kubectl explain` shows nothing else."""
import pathlib
import sys

import yaml


def silent(schema, path):
    """The paths of fields without a description below `schema`."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        if not str(field.get("description", "")).strip():
            yield here
        yield from silent(field, here)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from silent(schema[inner], path + "[]")


def main(folder):
    found = []
    for file in sorted(pathlib.Path(folder).glob("*.yaml")):
        crd = yaml.safe_load(file.read_text())
        for version in crd["spec"]["versions"]:
            found += silent(version["schema"]["openAPIV3Schema"], crd["spec"]["names"]["kind"])
    for path in found:
        print(f"no description: {path}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
