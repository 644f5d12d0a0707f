#!/usr/bin/python3
"""The control plane itself: a machine comes to life there, has a public address, and goes; a full quota refuses."""
import json
import os
import sys
import time

from control_plane import Api
from processes import Failed, wait_until


def enter(place, account):
    api = Api(place["authURL"])
    token = api.log_in(account["user"], account["password"], account["project"])
    services = {service["type"]: service["endpoints"][0]["url"] for service in token["catalog"]}
    return api, services["compute"], services["network"] + "/v2.0", services["image"] + "/v2"


def ids(api, url, kind):
    return {item["name"]: item["id"] for item in api.call("GET", url)[1][kind]}


def machine(api, compute, network, image, name):
    return {"name": name, "flavorRef": ids(api, f"{compute}/flavors", "flavors")["small"],
            "imageRef": ids(api, f"{image}/images", "images")["debian-12"],
            "networks": [{"uuid": ids(api, f"{network}/networks", "networks")["private"]}]}


def main():
    with open(os.environ["OCIM_OPENSTACK"]) as text:
        place = json.load(text)
    api, compute, network, image = enter(place, place["accounts"][0])
    began = time.monotonic()
    made = api.make(f"{compute}/servers", "server", **machine(api, compute, network, image, "first"))["id"]

    def state():
        return api.call("GET", f"{compute}/servers/{made}")[1]["server"]["status"]
    wait_until(lambda: state() != "BUILD", 120, "a machine")
    if state() != "ACTIVE":
        sys.exit(f"the machine is {state()}")
    print(f"ACTIVE after {time.monotonic() - began:.1f} s")
    port = api.call("GET", f"{network}/ports?device_id={made}")[1]["ports"][0]["id"]
    public = ids(api, f"{network}/networks", "networks")["public"]
    address = api.make(f"{network}/floatingips", "floatingip", floating_network_id=public, port_id=port)["id"]
    api.call("DELETE", f"{network}/floatingips/{address}")
    api.call("DELETE", f"{compute}/servers/{made}")

    def gone():
        try:
            return state() == "never"
        except Failed as failed:
            return " 404 " in str(failed)
    wait_until(gone, 60, "its end")

    api, compute, network, image = enter(place, place["accounts"][1])
    refused = ""
    for name in ("fits", "does-not"):
        try:
            api.make(f"{compute}/servers", "server", **machine(api, compute, network, image, name))
        except Failed as failed:
            refused = f"{name}: {failed}"
    if not refused.startswith("does-not") or "Quota exceeded" not in refused:
        sys.exit(f"the quota of one machine: {refused or 'nothing is refused'}")
    for made in ids(api, f"{compute}/servers", "servers").values():
        api.call("DELETE", f"{compute}/servers/{made}")


if __name__ == "__main__":
    main()
