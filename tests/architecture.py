#!/usr/bin/python3
"""Fails when a file includes from a room it may not depend on. The table IS the architecture.

    architecture.py [ROOT]
"""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": set(),
    "api": {"base"},
    "schema": {"api", "base"},
    "store": {"base"},
    "registry": {"store", "schema", "api", "base"},
    "net": {"base"},
    "apiserver": {"registry", "schema", "net", "api", "base"},
    "client": {"registry", "net", "api", "base"},  # registry in local.cpp, net in remote.cpp and its session
    "runtime": {"client", "api", "base"},
    "reconcilers": {"runtime", "client", "net", "api", "base", "crd"},
    "cli": {"*"},
}
SHARED_AREAS = {"keystone", "hosts", "webhooks"}  # without kinds: what several areas say to, or hear from, the same outside system
ONLY_IN = {("client", "registry"): {"local.cpp"}, ("client", "net"): {"remote.cpp", "session.hpp"}}


def room_of(path, root):
    """(room, area): controller/api/x.hpp is ("api", ""), reconcilers/dns/x.cpp is ("reconcilers", "dns")."""
    first, *rest = path.relative_to(root).parts
    if first == "reconcilers":
        return "reconcilers", rest[0] if len(rest) > 1 else ""
    return (rest[0], "") if len(rest) > 1 else ("cli", "")


def allowed(room, area, other, areas, name):
    if other in areas:
        return room == "cli" or (room == "reconcilers" and (area in ("", other) or other in SHARED_AREAS))
    if other == room or "*" in MAY_INCLUDE[room]:
        return True
    return other in MAY_INCLUDE[room] and name in ONLY_IN.get((room, other), {name})


def violations(root):
    areas = {p.name for p in (root / "reconcilers").iterdir() if p.is_dir()}
    rooms = set(MAY_INCLUDE) | areas | {"crd"}
    for path in sorted([*root.glob("controller/**/*.[hc]pp"), *root.glob("reconcilers/**/*.[hc]pp")]):
        room, area = room_of(path, root)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = re.match(r'#include "([^"/]+)/', line)
            if found and found[1] in rooms and not allowed(room, area, found[1], areas, path.name):
                yield f"{path.relative_to(root)}:{number}: {area or room} may not include {found[1]}"


if __name__ == "__main__":
    broken = list(violations(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(broken) or "layers hold")
    sys.exit(bool(broken))
