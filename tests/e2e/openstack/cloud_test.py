#!/usr/bin/python3
"""Ocim as a process and the real kubectl, on a real control plane: machines and groups, a whole site, many sites.

OCIM_SCALE=full makes 200 sites instead of 20, OCIM_SITES=N so many.
"""
import json
import os
import pathlib
import re
import subprocess
import time
import unittest

from world import DOMAIN, READY, ROOT, World, until

SITES = int(os.environ.get("OCIM_SITES", 200 if os.environ.get("OCIM_SCALE") == "full" else 20))


class Cloud(World):
    def groups_of(self, server):
        return sorted({group["name"] for group in server.get("security_groups", [])})

    def rules(self, name):
        group = next((g for g in self.project.groups() if g["name"] == name), {"security_group_rules": []})
        return sorted(f"{r['direction']} {r['ethertype']} {r['protocol']} {r['port_range_min']} {r['remote_ip_prefix']}"
                      for r in group["security_group_rules"])

    def test_1_a_group_and_a_machine_by_kubectl(self):
        import yaml  # Debian's python3-yaml
        sample = [m for m in yaml.safe_load_all((ROOT / "manifests/samples/openstack.yaml").read_text())
                  if m["kind"] in ("SecurityGroup", "VirtualMachine")]
        for item in sample:
            item["metadata"]["namespace"] = "campus"
            if item["kind"] == "VirtualMachine":
                item["spec"].update(flavor={"name": "small"}, keyName="demo", sshUser="root")
        self.stage.apply(*sample)
        self.wait_stands("securitygroup", "web", "True Synced")
        self.wait_stands("virtualmachine", "demo", "True Running")
        servers = self.project.servers()
        self.assertEqual([self.groups_of(s) for s in servers], [["web"]])
        self.assertEqual(self.rules("web"), [
            "egress IPv4 None None None", "egress IPv6 None None None", "ingress IPv4 icmp None None",
            "ingress IPv4 tcp 22 None", "ingress IPv4 tcp 443 192.0.2.0/24", "ingress IPv4 tcp 80 None"])
        status = self.stage.get("virtualmachine", "demo", "-n", "campus")["status"]
        self.assertEqual(status["id"], servers[0]["id"])
        given = self.stage.kubectl("get", "secret", "demo-ssh-host-key", "-n", "campus", "-o",
                                   "jsonpath={.metadata.ownerReferences[0].name}").stdout
        self.assertEqual(given, "demo", "drawn for it, and gone with it")
        self.assertEqual(servers[0]["metadata"]["ocim-host-key"], status["sshHostKey"], "known before it ran")
        shown = subprocess.run(["ssh-keyscan", "-t", "ed25519", status["addresses"][0]], capture_output=True, text=True)
        self.assertIn(status["sshHostKey"], shown.stdout, "the key of whoever answers at its address")
        table = self.stage.kubectl("get", "osg,ovm", "-n", "campus").stdout
        self.assertRegex(table, r"web\s+6\s+True\s+Synced")

        self.hosts.install_anew(servers[0]["id"])
        self.stage.kubectl("patch", "virtualmachine", "demo", "-n", "campus", "--type=merge", "-p",
                           '{"spec":{"rebootRequest":"once"}}')
        self.wait_stands("virtualmachine", "demo", "False SSHHostKeyChanged")
        self.assertEqual(self.stage.get("virtualmachine", "demo", "-n", "campus")["status"]["sshHostKey"],
                         status["sshHostKey"], "what was known first is known still")
        shown = subprocess.run(["ssh-keyscan", "-t", "ed25519", status["addresses"][0]], capture_output=True, text=True)
        key = " ".join(shown.stdout.split()[1:3])
        self.stage.kubectl("patch", "virtualmachine", "demo", "-n", "campus", "--type=merge", "-p",
                           json.dumps({"spec": {"sshHostKey": key}}))
        self.wait_stands("virtualmachine", "demo", "True Running")

        self.stage.kubectl("delete", "securitygroup/web", "virtualmachine/demo", "-n", "campus", "--timeout=120s",
                           seconds=150)
        self.nothing_is_left()
        self.assertNotIn("demo-ssh-host-key", self.stage.kubectl("get", "secrets", "-n", "campus").stdout)
        self.assertNotIn("PRIVATE KEY", self.stage.path("log", "ocim.log").read_text(errors="replace"))
        self.assertNotIn("web", [g["name"] for g in self.project.groups()])

    def host_keys(self, how):
        self.stage.kubectl("patch", "instanceclass", "stack", "--type=merge", "-p",
                           json.dumps({"spec": {"compute": {"hostKeys": how}}}))

    def test_2_a_site(self):
        self.host_keys("Injected")
        self.addCleanup(self.host_keys, None)
        self.stage.apply(self.instance("demo", compute={"additionalSecurityGroups": ["by-hand", "default"]}))
        until("what lacks is said", lambda: "by-hand" in self.condition("appserver", "demo-1")["message"], READY)
        self.assertEqual(self.condition("virtualmachine", "demo-1")["reason"], "SecurityGroupNotFound")
        self.assertEqual(self.project.servers(), [], "nothing is made without them")
        group = self.project.api.make(f"{self.project.neutron}/security-groups", "security_group", name="by-hand")
        self.wait_stands("instance", "demo", "True Serving")
        server, = self.project.servers()
        self.assertEqual(self.groups_of(server), ["by-hand", "default", "ocim-stack"])
        self.assertEqual(len(self.rules("ocim-stack")), 7)
        status = self.stage.get("virtualmachine", "demo-1", "-n", "campus")["status"]
        self.assertEqual(server["metadata"]["ocim-host-key"], status["sshHostKey"], "as the class says: a key of ours")
        shown = subprocess.run(["ssh-keyscan", "-t", "ed25519", status["addresses"][0]], capture_output=True, text=True)
        self.assertIn(status["sshHostKey"], shown.stdout, "the key by which Ansible met the machine")
        run = self.stage.get("provisioningrun", "demo-1-1", "-n", "campus")["status"]
        self.assertEqual((run["phase"], run["exitCode"]), ("Succeeded", 0))
        log = self.stage.kubectl(
            "get", "--raw", "/apis/ocim.opencraft.com/v1alpha1/namespaces/campus/appservers/demo-1/log")
        self.assertIn("TASK [leave a page]", log.stdout, "Ansible ran there")
        port = self.stage.facts["HTTP_PORT"]
        page = subprocess.run(["curl", "-sS", "--max-time", "10", "--resolve", f"demo.{DOMAIN}:{port}:127.0.0.1",
                               f"http://demo.{DOMAIN}:{port}/"], capture_output=True, text=True)
        self.assertEqual(page.stdout.strip(), f"demo.{DOMAIN}")
        self.stage.kubectl("delete", "instance", "demo", "-n", "campus", "--timeout=300s", seconds=330)
        self.nothing_is_left()
        self.project.api.call("DELETE", f"{self.project.neutron}/security-groups/{group['id']}")

    # --- many

    def calls(self):
        """To the services of the cloud, by what Ocim itself counts."""
        ports = [self.place["ports"][name] for name in ("keystone", "nova", "neutron", "glance")]
        return self.counted("rest_client_requests_total", lambda labels: any(f":{port}" in labels for port in ports))

    def counted(self, metric, which=lambda labels: True):
        total = 0
        for line in self.stage.metrics().splitlines():
            head, _, value = line.rpartition(" ")
            if head.startswith(metric) and which(head[len(metric):]):
                total += float(value)
        return total

    def memory(self):
        """Of Ocim, in MiB."""
        status = pathlib.Path(f"/proc/{self.stage.processes['ocim'].pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def how_it_stands(self, began, before):
        """One line for whoever waits."""
        looks = self.counted("ocim_loop_lag_seconds_count")
        late = looks - self.counted("ocim_loop_lag_seconds_bucket", lambda labels: 'le="0.1"' in labels)
        print(f"after {time.monotonic() - began:.0f} s: {self.ready('instances')} of {SITES} serve, "
              f"{len(self.project.servers())} machines, {self.calls() - before:.0f} calls, "
              f"{self.counted('controller_runtime_reconcile_total'):.0f} visits, {self.memory():.0f} MiB, "
              f"the loop was late by more than 0.1 s in {100 * late / looks:.1f} % of {looks:.0f} samples", flush=True)

    def wait_until_all_serve(self, began, before):
        deadline, said = began + 60 * SITES, began
        while self.ready("instances") < SITES:
            self.assertLess(time.monotonic(), deadline, "until all sites serve")
            if time.monotonic() > said + 60:
                try:
                    self.how_it_stands(began, before)
                except OSError as error:  # a busy host: it says so the next time
                    print(error, flush=True)
                said = time.monotonic()
            time.sleep(0.5 if SITES <= 20 else 5)  # a look at many is work for who is looked at
        self.how_it_stands(began, before)

    def at_work_at_a_time(self):
        """How many runs were at most, by when each began and ended on its machine."""
        changes = []
        for run in self.stage.get("provisioningruns", "-n", "campus")["items"]:
            changes += [(run["status"]["startedAt"], 1), (run["status"]["finishedAt"], -1)]
        self.assertEqual(len(changes), 2 * SITES)
        most = now = 0
        for _, change in sorted(changes):  # in a second in which one ends and one begins, it ended first
            now += change
            most = max(most, now)
        return most

    def test_3_many_sites_at_once(self):
        before, began = self.calls(), time.monotonic()
        for first in range(0, SITES, 20):  # kubectl takes its time with each
            self.stage.apply(*[self.instance(f"site-{n}") for n in range(first, min(first + 20, SITES))])
        self.wait_until_all_serve(began, before)
        took, calls, most = time.monotonic() - began, self.calls() - before, self.at_work_at_a_time()
        self.assertEqual(len(self.project.servers()), SITES)
        self.assertEqual(len({port["fixed_ips"][0]["ip_address"] for port in self.project.ports()}), SITES)
        print(f"{SITES} sites serve after {took:.0f} s, at most {most} runs at a time (allowed: "
              f"{self.runs_at_a_time}), {calls:.0f} calls of OpenStack's APIs, {calls / SITES:.1f} a site", flush=True)
        self.assertLessEqual(most, self.runs_at_a_time)
        self.assertGreater(most, 1, "not one after another")
        self.assertLess(calls, 15 * SITES + took, "looks do not grow with what is looked at: a call a second, beside")
        self.stage.kubectl("delete", "instances", "--all", "-n", "campus", f"--timeout={60 * SITES}s",
                           seconds=70 * SITES)
        self.nothing_is_left()
        took, calls = time.monotonic() - began, self.calls() - before
        print(f"until they are gone, after {took:.0f} s: {calls:.0f} calls, {calls / SITES:.1f} a site; Ocim then has "
              f"{self.memory():.0f} MiB", flush=True)

    def test_4_the_class_takes_its_group_along(self):
        self.assertEqual([g["name"] for g in self.project.groups()], ["ocim-stack"])
        self.stage.kubectl("delete", "instanceclass", "stack", "--timeout=120s", seconds=150)
        until("its group is gone", lambda: self.project.groups() == [], 60)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
