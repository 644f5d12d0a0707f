#!/usr/bin/python3
"""`ocim serve` as a process: how it begins, how it ends, and what survives."""
import json
import pathlib
import re
import signal
import stat
import subprocess
import sys
import threading
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import PROGRAM, Ocim, wait_until  # noqa: E402


def config_map(name):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})


class Process(unittest.TestCase):
    maxDiff = None

    def run_program(self, *words):
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)

    def test_the_directory_is_private(self):
        with Ocim() as ocim:
            self.assertEqual(ocim.ready_line, f"ocim is ready: export KUBECONFIG={ocim.data}/kubeconfig\n")
            self.assertEqual(stat.S_IMODE(ocim.data.stat().st_mode), 0o700)
            open_files = [str(path) for path in ocim.data.rglob("*")
                          if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077]
            self.assertEqual(open_files, [])

    def test_a_second_process_is_refused(self):
        with Ocim() as ocim:
            second = subprocess.run(ocim.command(), capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((second.returncode, second.stdout), (1, ""))
            self.assertRegex(second.stderr, rf"^ocim: {ocim.data}.* is locked by the process {ocim.process.pid}: stop it")
            ocim.kubectl("get", "namespaces")

    def test_a_store_that_is_there_is_not_left_aside_for_a_database(self):
        with Ocim() as ocim:
            ocim.stop()
            done = subprocess.run(ocim.command("--store", "postgres://ocim@127.0.0.1:9/ocim"), capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f'ocim migrate --from sqlite:{ocim.data}/ocim.db"', done.stderr)
            ocim.start()

    def test_an_address_that_is_taken(self):
        with Ocim() as ocim:
            host, port = ocim.address()
            other = Ocim("--listen", f"{host}:{port}")
            self.addCleanup(other.close)
            command = [PROGRAM, "serve", "--data-dir", str(other.data), "--listen", f"{host}:{port}", "--no-controllers"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{host}:{port}", done.stderr)

    def test_signals_end_it_in_order(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with Ocim() as ocim:
                watch = ocim.popen_kubectl("get", "namespaces", "-w")
                watch.stdout.readline()
                ocim.process.send_signal(number)
                self.assertEqual(ocim.process.wait(30), 0, ocim.log.read_text())
                watch.kill()
                watch.communicate()

    def test_what_was_acknowledged_survives_kill_9(self):
        with Ocim() as ocim:
            acknowledged = []
            stop = threading.Event()

            def write(number):
                count = 0
                while not stop.is_set():
                    name = f"w{number}-{count}"
                    try:
                        status, _, _ = ocim.request("POST", "/api/v1/namespaces/default/configmaps", config_map(name),
                                                    {"Content-Type": "application/json"})
                    except OSError:
                        return
                    if status == 201:
                        acknowledged.append(name)
                    count += 1

            for _ in range(3):
                stop.clear()
                before = len(acknowledged)
                writers = [threading.Thread(target=write, args=(f"{before}-{n}",)) for n in range(4)]
                for writer in writers:
                    writer.start()
                wait_until(lambda: len(acknowledged) > before + 40, "some writes were acknowledged")
                ocim.kill()
                stop.set()
                for writer in writers:
                    writer.join()
                ocim.start()
                stored = set(ocim.kubectl("get", "cm", "-o", "jsonpath={.items[*].metadata.name}").stdout.split())
                self.assertEqual(set(acknowledged) - stored, set(), "lost")

    def test_a_restart_keeps_access_and_objects(self):
        with Ocim() as ocim:
            ocim.kubectl("create", "namespace", "kept")
            authority = (ocim.data / "pki" / "ca.crt").read_text()
            self.assertEqual(ocim.stop(), 0)
            ocim.start()
            ocim.kubectl("get", "namespace", "kept")
            self.assertEqual((ocim.data / "pki" / "ca.crt").read_text(), authority)

    def test_an_installation_keeps_its_id(self):
        with Ocim("--installation-id", "prod") as ocim:
            def id_of():
                return ocim.kubectl("get", "configmap", "-n", "ocim-system", "ocim-installation",
                                    "-o", "jsonpath={.data.id}").stdout
            self.assertEqual(id_of(), "prod")
            ocim.stop()
            for flag, code, said in (("other", 1, 'this installation is "prod" and cannot become "other"'),
                                     ("No Id", 2, '"No Id" is no id of an installation')):
                ocim.flags = ["--no-controllers", "--installation-id", flag]
                refused = subprocess.run(ocim.command(), capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual((refused.returncode, refused.stdout), (code, ""))
                self.assertIn("--installation-id: " + said, refused.stderr)
            ocim.flags = ["--no-controllers"]
            ocim.start()
            self.assertEqual(id_of(), "prod")

    def test_metrics_and_audit(self):
        with Ocim() as ocim:
            ocim.kubectl("create", "secret", "generic", "s", "--from-literal=password=swordfish")
            ocim.kubectl("get", "secret", "s")
            url = re.search(r"metrics=(\S+)", ocim.log.read_text())[1]
            with urllib.request.urlopen(url + "/metrics", timeout=30) as reply:
                text = reply.read().decode()
            self.assertRegex(text, r'apiserver_request_total\{code="201",resource="secrets",verb="POST"\} 1')
            self.assertIn("apiserver_request_duration_seconds_bucket", text)
            self.assertIn("ocim_loop_lag_seconds_count", text)
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                                     timeout=60, check=False)
            self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
            with urllib.request.urlopen(url + "/readyz", timeout=30) as reply:
                self.assertEqual(reply.read(), b"ok")
            log = ocim.data / "audit.log"
            wait_until(lambda: "secrets" in log.read_text(), "the audit log has the write")
            line = json.loads(log.read_text().splitlines()[0])
            self.assertEqual((line["user"], line["verb"], line["resource"], line["name"], line["code"]),
                             ("ocim-admin", "create", "secrets", "s", 201))
            for text in log.read_text(), ocim.log.read_text():
                self.assertNotIn("swordfish", text)
                self.assertNotIn("c3dvcmRmaXNo", text)

    def test_words_it_does_not_know(self):
        for words, expected in [
                (["serv"], 'unknown command "serv". See "ocim --help".'),
                (["serve"], '--data-dir DIR is required. See "ocim serve --help".'),
                (["serve", "--data-dirr", "x"], "unknown flag --data-dirr. Did you mean --data-dir?"),
                (["serve", "--data-dir", "x", "--listen", "here"], "--listen here: give an IP address and a port"),
                (["serve", "--data-dir", "x", "--log-format=xml"], "--log-format xml: give text or json"),
                (["version", "--short"], "unknown flag --short")]:
            done = self.run_program(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(expected, done.stderr)

    def test_help_and_version(self):
        self.assertIn("serve", self.run_program("--help").stdout)
        self.assertIn("--data-dir DIR", self.run_program("serve", "--help").stdout)
        self.assertRegex(self.run_program("version").stdout, r"^ocim \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
