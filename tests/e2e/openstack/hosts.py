"""What stands for Nova's hypervisors: behind each server of the project a local machine with its address and key.

Nova's driver is a fake one: no guest runs, and no cloud-init. Here a thread looks at the project's servers, as one of its users, and keeps
one machine of this host for each that is ACTIVE, at the very address that Neutron gave it. A server that is rebooted
reboots its machine, one that is gone takes it along.
"""
import base64
import email
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
        services = {service["type"]: endpoint["url"] for service in token["catalog"]
                    for endpoint in service["endpoints"] if endpoint["region_id"] == self.place["region"]}
        self.nova, self.neutron = services["compute"], services["network"] + "/v2.0"

    def list(self, url, key):
        return self.api.call("GET", url)[1][key]

    def servers(self):
        return self.list(f"{self.nova}/servers/detail", "servers")

    def user_data(self, server):
        """As its machine finds it; only an administrator may ask."""
        shown = self.api.call("GET", f"{self.nova}/servers/{server}", version="compute 2.3")[1]["server"]
        return shown["OS-EXT-SRV-ATTR:user_data"]

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


def host_key_in(user_data):
    """The key that cloud-init would give the SSH server: of all parts that configure it the last one says it."""
    import yaml  # Debian's python3-yaml
    text = base64.b64decode(user_data).decode()
    whole = email.message_from_string(text) if "mime-version:" in text[:4096].lower() else None
    found = None
    for part in [p.get_payload(decode=True).decode() for p in whole.walk() if not p.is_multipart()] if whole else [text]:
        if part.startswith("#cloud-config"):
            found = (yaml.safe_load(part) or {}).get("ssh_keys", found)
    return found


class Hosts:
    def __init__(self, project, admin, ocim, folder, reached, bridge, gateway):
        """`reached`: the kind of address that a machine has, "fixed" or "floating"."""
        self.admin = admin  # who may see user data
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
            try:  # whatever goes wrong on a slow host, the next look follows
                servers = {server["id"]: server for server in self.project.servers()}
                with self.lock:
                    self.follow(servers)
            except (Failed, OSError, subprocess.SubprocessError) as error:
                self.trouble.append(str(error))

    def follow(self, servers):
        owners = [s["metadata"].get("ocim-uid") for s in servers.values() if s["OS-EXT-STS:task_state"] != "deleting"]
        self.doubled += sorted({uid for uid in owners if uid and owners.count(uid) > 1})
        for server in [path.name for path in self.folder.iterdir()]:
            if server not in servers:
                self.machine("remove", server)
        reached = {name: [a["addr"] for network in server["addresses"].values() for a in network
                          if a["OS-EXT-IPS:type"] == self.reached] for name, server in servers.items()}
        there = [name for name, server in servers.items() if server["status"] == "ACTIVE" and reached[name]]
        for name in there:
            request = servers[name]["metadata"].get("ocim-reboot", "")
            if (self.folder / name).exists() and self.rebooted.get(name) != request:
                self.machine("stop", name)
                self.machine("start", name)
                self.rebooted[name] = request
        # of many new ones a few at a time: who is to reboot does not wait for all of them
        new = sorted((servers[name]["created"], name) for name in there if not (self.folder / name).exists())
        for _, name in new[:4]:
            server = servers[name]
            self.make(name, reached[name][0], self.keys[server["key_name"]], "ocim-host-key" in server["metadata"])
            self.rebooted[name] = server["metadata"].get("ocim-reboot", "")

    def make(self, name, address, key, has_host_key):
        made = self.folder / name
        made.mkdir()
        (made / "machine.json").write_text(json.dumps({
            "id": name, "mark": f"i=test o=hosts/machine u={name}", "address": address, "gateway": self.gateway,
            "prefixBits": 24, "bridge": self.bridge, "sshUser": "root", "publicKey": key, "keyName": "demo",
            "memoryBytes": 512 * 1024 * 1024, "processes": 256, "rebootRequest": "", "stopped": False}))
        self.machine("start", name)
        if has_host_key:  # cloud-init comes to it once it runs
            keys = host_key_in(self.admin.user_data(name))
            self.give_host_key(name, lambda file: (file.write_text(keys["ed25519_private"]), file.chmod(0o600),
                                                   file.with_suffix(".pub").write_text(keys["ed25519_public"])))

    def give_host_key(self, server, write):
        self.machine("stop", server)
        place = self.folder / server / "rootfs/etc/ssh"
        for key in place.glob("ssh_host_*"):
            key.unlink()
        write(place / "ssh_host_ed25519_key")
        self.machine("start", server)

    def install_anew(self, server):
        """As when somebody puts another system, with a host key of its own, in its place."""
        with self.lock:
            self.give_host_key(server, lambda file: subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True))

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
