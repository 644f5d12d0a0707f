"""What stands for Nova's hypervisors: behind each server of the project a local machine with its address and key.

Nova's driver is a fake one: no guest runs. Here a thread looks at the project's servers, as one of its users, and keeps
one machine of this host for each that is ACTIVE, at the very address that Neutron gave it. A server that is rebooted
reboots its machine, one that is gone takes it along.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/integration/openstack"))
from control_plane import Api  # noqa: E402
from processes import Failed  # noqa: E402


class Project:
    """A project of the control plane, as one of its users sees it, by OpenStack's own APIs."""

    def __init__(self, place, account):
        self.place, self.account = place, account
        self.log_in()

    def log_in(self):
        self.api = Api(self.place["authURL"])
        token = self.api.log_in(self.account["user"], self.account["password"], self.account["project"])
        self.id = token["project"]["id"]
        services = {service["type"]: service["endpoints"][0]["url"] for service in token["catalog"]}
        self.nova, self.neutron = services["compute"], services["network"] + "/v2.0"

    def list(self, url, key):
        return self.api.call("GET", url)[1][key]

    def servers(self):
        return self.list(f"{self.nova}/servers/detail", "servers")

    def ports(self):
        """Those of machines."""
        listed = self.list(f"{self.neutron}/ports?project_id={self.id}", "ports")
        return [port for port in listed if port["device_owner"].startswith("compute:") or not port["device_owner"]]

    def addresses(self):
        return self.list(f"{self.neutron}/floatingips", "floatingips")

    def groups(self):
        return [g for g in self.list(f"{self.neutron}/security-groups", "security_groups") if g["name"] != "default"]

    def clear(self):
        for address in self.addresses():
            self.api.call("DELETE", f"{self.neutron}/floatingips/{address['id']}")
        for server in self.servers():
            self.api.call("DELETE", f"{self.nova}/servers/{server['id']}")
        until("no machine is left", lambda: not self.servers(), 180)
        for group in self.groups():
            self.api.call("DELETE", f"{self.neutron}/security-groups/{group['id']}")

    def key_pairs(self):
        listed = self.list(f"{self.nova}/os-keypairs", "keypairs")
        return {pair["keypair"]["name"]: pair["keypair"]["public_key"] for pair in listed}


class Hosts:
    def __init__(self, project, ocim, folder, reached, bridge, gateway):
        """`reached`: the kind of address that a machine has, "fixed" or "floating"."""
        self.project, self.ocim, self.folder = project, str(ocim), pathlib.Path(folder)
        self.reached, self.bridge, self.gateway = reached, bridge, gateway
        self.keys = project.key_pairs()
        self.rebooted = {}  # server -> the request that it was rebooted for
        self.trouble = []
        self.doubled = []
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.thread.start()

    def machine(self, verb, server):
        done = subprocess.run([self.ocim, "machine", verb, str(self.folder / server)], capture_output=True, text=True,
                              timeout=120)
        if done.returncode:
            self.trouble.append(f"{verb} {server}: {done.stderr}")

    def run(self):
        while not self.ending.wait(0.3):
            try:
                servers = {server["id"]: server for server in self.project.servers()}
            except (Failed, OSError) as error:
                self.trouble.append(str(error))
                continue
            with self.lock:
                self.follow(servers)

    def follow(self, servers):
        owners = [s["metadata"].get("ocim-uid") for s in servers.values() if s["OS-EXT-STS:task_state"] != "deleting"]
        self.doubled += sorted({uid for uid in owners if uid and owners.count(uid) > 1})
        for server in [path.name for path in self.folder.iterdir()]:
            if server not in servers:
                self.machine("remove", server)
        for name, server in servers.items():
            addresses = [a["addr"] for network in server["addresses"].values() for a in network
                         if a["OS-EXT-IPS:type"] == self.reached]
            if server["status"] != "ACTIVE" or not addresses:
                continue
            request = server["metadata"].get("ocim-reboot", "")
            if not (self.folder / name).exists():
                self.make(name, addresses[0], self.keys[server["key_name"]])
                self.rebooted[name] = request
            elif self.rebooted.get(name) != request:
                self.machine("stop", name)
                self.machine("start", name)
                self.rebooted[name] = request

    def make(self, name, address, key):
        made = self.folder / name
        made.mkdir()
        (made / "machine.json").write_text(json.dumps({
            "id": name, "mark": f"i=test o=hosts/machine u={name}", "address": address, "gateway": self.gateway,
            "prefixBits": 24, "bridge": self.bridge, "sshUser": "root", "publicKey": key, "keyName": "demo",
            "memoryBytes": 512 * 1024 * 1024, "processes": 256, "rebootRequest": "", "stopped": False}))
        self.machine("start", name)

    def install_anew(self, server):
        """As when somebody puts another system, with a host key of its own, in its place."""
        with self.lock:
            self.machine("stop", server)
            for key in (self.folder / server / "rootfs/etc/ssh").glob("ssh_host_*"):
                key.unlink()
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                            self.folder / server / "rootfs/etc/ssh/ssh_host_ed25519_key"], check=True)
            self.machine("start", server)

    def close(self):
        self.ending.set()
        self.thread.join(timeout=180)
        for path in list(self.folder.iterdir()):
            self.machine("remove", path.name)
            shutil.rmtree(path, ignore_errors=True)


def until(what, condition, seconds):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.5)
