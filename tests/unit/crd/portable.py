#!/usr/bin/python3
"""Every field of every CRD of ours is of one type: API servers, clients and languages do not agree on what is an integer or a text."""
import pathlib
import sys

import yaml


def ambiguous(schema, path):
    """The paths at and below `schema` that take integers and texts alike."""
    alternatives = [inner for key in ("anyOf", "oneOf", "allOf") for inner in schema.get(key, [])]
    types = {kind for inner in [schema, *alternatives] for kind in as_list(inner.get("type"))}
    marked = schema.get("x-kubernetes-int-or-string", False) or schema.get("format") == "int-or-string"
    if marked or ("string" in types and types & {"integer", "number"}):
        yield path
    for name, field in schema.get("properties", {}).items():
        yield from ambiguous(field, f"{path}.{name}")
    for inner in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(inner), dict):
            yield from ambiguous(schema[inner], path + "[]")
    for inner in alternatives:
        yield from ambiguous(inner, path)


def as_list(types):
    return types if isinstance(types, list) else [types]


def main(folder):
    found, seen = [], 0
    for file in sorted(pathlib.Path(folder).glob("*.yaml")):
        crd = yaml.safe_load(file.read_text())
        for version in crd["spec"]["versions"]:
            seen += 1
            found += ambiguous(version["schema"]["openAPIV3Schema"], crd["spec"]["names"]["kind"])
    for path in dict.fromkeys(found):
        print(f"int or string: {path}")
    if not seen:
        print(f"no CRD in {folder}")
    return 1 if found or not seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
