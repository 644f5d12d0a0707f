#!/usr/bin/python3
"""Keys and certificates of a whole installation: encryption at rest, rotation, colleagues' kubeconfigs, the audit log."""
import base64
import json
import os
import pathlib
import ssl
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import KUBECTL, PROGRAM, Ocim, read_line, wait_until  # noqa: E402

PASSWORD = "correct-horse-battery"


def run(*words, check=True):
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=120, check=False)
    if check and done.returncode:
        raise AssertionError(f"ocim {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class AtRest(unittest.TestCase):
    def setUp(self):
        self.ocim = Ocim()
        self.addCleanup(self.ocim.close)
        self.keys = self.ocim.data / "encryption-keys"

    def ids(self):
        return [line.split()[1] for line in self.keys.read_text().splitlines() if line.startswith("key ")]

    def make_secrets(self, count):
        self.ocim.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s{i}", "namespace": "default"},
             "stringData": {"password": f"{PASSWORD}-{i}"}} for i in range(count)]}), seconds=300)

    def expect_secrets(self, count):
        items = json.loads(self.ocim.kubectl("get", "secrets", "-o", "json").stdout)["items"]
        found = {i["metadata"]["name"]: base64.b64decode(i["data"]["password"]).decode() for i in items}
        self.assertEqual(found, {f"s{i}": f"{PASSWORD}-{i}" for i in range(count)})

    def expect_nothing_readable(self):
        for path in self.ocim.data.rglob("*"):
            if not path.is_file():
                continue
            content = path.read_bytes()
            for needle in PASSWORD.encode(), base64.b64encode(PASSWORD.encode())[:-4]:
                self.assertNotIn(needle, content, f"{path.name} holds a Secret in the clear")

    def test_nothing_readable_is_on_the_disk(self):
        self.ocim.start()
        self.make_secrets(3)
        self.expect_nothing_readable()
        self.ocim.kubectl("patch", "secret", "s0", "--type=merge", "-p", '{"stringData":{"more":"x"}}')
        self.ocim.kubectl("delete", "secret", "s0")
        self.ocim.kubectl("get", "secret", "s1", "-o", "yaml")
        self.expect_nothing_readable()
        self.assertEqual(self.ocim.stop(), 0)
        self.expect_nothing_readable()
        self.assertEqual(stat.S_IMODE(self.keys.stat().st_mode), 0o600)
        log = [json.loads(line) for line in (self.ocim.data / "audit.log").read_text().splitlines()]
        made = [line for line in log if line.get("resource") == "secrets" and line.get("name") == "s1" and line["verb"] == "patch"]
        self.assertEqual((made[0]["user"], made[0]["outcome"], made[0]["code"]), ("ocim-admin", "done", 201))
        self.assertIn("system:masters", made[0]["groups"])
        self.assertTrue(any(line["verb"] == "get" and line.get("name") == "s1" for line in log), "who looks at one is told")

    def test_without_the_key_the_server_says_which_is_missing(self):
        self.ocim.start()
        self.make_secrets(1)
        self.ocim.stop()
        key, text = self.ids()[0], self.keys.read_text()
        self.keys.unlink()
        done = run("serve", "--data-dir", str(self.ocim.data), "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"core/secrets/default/s0 is encrypted with {key}", done.stderr)
        self.assertIn("encryption-keys is not there", done.stderr)
        self.assertFalse(self.keys.exists(), "no new key takes the place of the lost one")
        self.keys.write_text(text)
        done = run("serve", "--data-dir", str(self.ocim.data), check=False)
        self.assertIn("chmod 600", done.stderr)
        self.keys.chmod(0o600)
        self.ocim.start()
        self.expect_secrets(1)

    def test_rotation_while_the_server_runs(self):
        self.ocim.start()
        self.make_secrets(5)
        before = self.ids()
        said = run("secrets", "rotate-key", "--data-dir", str(self.ocim.data)).stdout
        after = self.ids()
        self.assertEqual((len(before), len(after)), (1, 1))
        self.assertNotEqual(before, after)
        self.assertIn(f"Secrets are encrypted with {after[0]} now", said)
        self.expect_secrets(5)
        self.ocim.kill()
        self.ocim.start()
        self.expect_secrets(5)
        self.assertNotIn(before[0].encode(), (self.ocim.data / "ocim.db").read_bytes())

    def test_rotation_without_a_server_and_with_a_passphrase(self):
        passphrase = self.ocim.home / "passphrase"
        passphrase.write_text("open sesame\n")
        self.ocim.flags += ["--encryption-passphrase-file", str(passphrase)]
        self.ocim.start()
        self.make_secrets(2)
        self.assertIn("passphrase-salt", self.keys.read_text())
        self.ocim.stop()
        before = self.ids()
        run("secrets", "rotate-key", "--data-dir", str(self.ocim.data), "--encryption-passphrase-file", str(passphrase))
        self.assertNotEqual(before, self.ids())
        self.ocim.start()
        self.expect_secrets(2)
        self.ocim.stop()
        passphrase.write_text("wrong\n")
        done = run("serve", "--data-dir", str(self.ocim.data), "--encryption-passphrase-file", str(passphrase), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not opened by the passphrase given", done.stderr)

    def test_a_rotation_that_is_killed_loses_nothing(self):
        self.ocim.start()
        self.make_secrets(60)
        for attempt in range(6):
            rotating = subprocess.Popen([PROGRAM, "secrets", "rotate-key", "--data-dir", str(self.ocim.data)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # at another instant each time: before the server sees the key, while it encrypts, when it has done
            wait_until(lambda: len(self.ids()) == 2 or rotating.poll() is not None, "the new key is in the file")
            if attempt % 2:
                rotating.kill()
            try:
                rotating.wait(timeout=0.2 * attempt)
            except subprocess.TimeoutExpired:
                pass
            self.ocim.kill()
            rotating.kill()
            rotating.wait()
            self.ocim.start()
            self.expect_secrets(60)
        wait_until(lambda: len(self.ids()) == 1, "what was broken off is finished")
        self.ocim.kill()
        self.ocim.start()
        self.expect_secrets(60)
        self.expect_nothing_readable()


class TokenKeys(unittest.TestCase):
    def setUp(self):
        self.ocim = Ocim()
        self.addCleanup(self.ocim.close)
        self.ocim.start()
        self.ocim.kubectl("create", "serviceaccount", "bot")

    def code(self, token):
        return self.ocim.request("GET", "/api", headers={"Authorization": "Bearer " + token}, certificate=None)[0]

    def key_ids(self):
        keys = json.loads(self.ocim.kubectl("get", "--raw", "/openid/v1/jwks").stdout)["keys"]
        return [key["kid"] for key in keys]

    def new_token(self):
        return self.ocim.kubectl("create", "token", "bot").stdout.strip()

    def rotate(self, *flags):
        said = run("secrets", "rotate-token-key", "--data-dir", str(self.ocim.data), *flags).stdout
        key = said.split("signed with ")[1].split()[0]
        wait_until(lambda: self.key_ids()[0] == key, "the running server signs with the new key")
        return key

    def test_old_tokens_last_unless_they_are_ended(self):
        first, old = self.key_ids(), self.new_token()
        self.assertEqual(len(first), 1)
        second = self.rotate()
        self.assertEqual(self.key_ids(), [second, *first], "who checks tokens himself can check both")
        new = self.new_token()
        self.assertEqual((self.code(old), self.code(new)), (200, 200))
        self.ocim.kill()
        self.ocim.start()
        self.assertEqual((self.code(old), self.code(new), self.key_ids()), (200, 200, [second, *first]))
        third = self.rotate("--end-old-tokens")
        self.assertEqual((self.code(old), self.code(new), self.code(self.new_token())), (401, 401, 200))
        self.assertEqual(self.key_ids(), [third])
        self.assertEqual(stat.S_IMODE((self.ocim.data / "pki" / "service-account.key").stat().st_mode), 0o600)

    def test_a_key_that_signed_nothing_is_not_kept(self):
        self.rotate()
        second = self.rotate()
        self.assertEqual(self.key_ids(), [second])


class Colleagues(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ocim = Ocim("--tls-san", "ocim.example.org", "--tls-san", "192.0.2.7")
        cls.addClassCleanup(cls.ocim.close)
        cls.ocim.start()

    def test_a_kubeconfig_for_a_colleague(self):
        path = self.ocim.home / "ann.kubeconfig"
        run("kubeconfig", "--user", "ann", "--group", "dev", "--group", "ops", "--for", "2h", "--data-dir", str(self.ocim.data),
            "--output", str(path))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        env = {"KUBECONFIG": str(path)}
        who = json.loads(self.ocim.kubectl("auth", "whoami", "-o", "json", env=env).stdout)["status"]["userInfo"]
        self.assertEqual((who["username"], who["groups"]), ("ann", ["dev", "ops", "system:authenticated"]))
        self.assertNotEqual(self.ocim.kubectl("get", "instances", env=env, check=False).returncode, 0)
        self.ocim.kubectl("create", "rolebinding", "ops", "--clusterrole=ocim-viewer", "--group=ops")
        self.ocim.kubectl("get", "instances", env=env)
        printed = run("kubeconfig", "--user", "bob", "--data-dir", str(self.ocim.data), "--server", "https://ocim.example.org:7443").stdout
        self.assertIn("server: https://ocim.example.org:7443", printed.replace('"', ""))
        for words, why in [(("--user", ""), "required"), (("--user", "x", "--for", "soon"), "--for soon"),
                           (("--user", "x" * 65), "1 to 64 bytes"), (("--user", "x", "--data-dir", "/nonexistent"), "not both there")]:
            words = words if "--data-dir" in words else (*words, "--data-dir", str(self.ocim.data))
            done = run("kubeconfig", *words, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(why, done.stderr)

    def test_a_certificate_that_is_taken_back(self):
        path, renewed = self.ocim.home / "eve.kubeconfig", self.ocim.home / "eve2.kubeconfig"
        invite = ("kubeconfig", "--user", "eve", "--group", "system:masters", "--data-dir", str(self.ocim.data))
        run(*invite, "--output", str(path))
        env = {"KUBECONFIG": str(path)}
        self.ocim.kubectl("get", "secrets", env=env)
        watching = subprocess.Popen([KUBECTL, "get", "secrets", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    env=self.ocim.environment | env)
        try:
            self.ocim.kubectl("create", "secret", "generic", "before")
            read_line(watching.stdout, 60, "the watch shows a Secret")
            self.assertIn("are refused", run("kubeconfig", "--revoke", "--user", "eve", "--data-dir", str(self.ocim.data)).stdout)
            wait_until(lambda: "Unauthorized" in self.ocim.kubectl("get", "secrets", env=env, check=False).stderr, "eve is shut out")
            watching.communicate(timeout=60)
        finally:
            watching.kill()
            watching.communicate()
        run(*invite, "--output", str(renewed))
        wait_until(lambda: self.ocim.kubectl("get", "secrets", env={"KUBECONFIG": str(renewed)}, check=False).returncode == 0,
                   "a new certificate is good")
        self.assertIn("Unauthorized", self.ocim.kubectl("get", "secrets", env=env, check=False).stderr)
        self.ocim.kubectl("get", "secrets")
        done = run("kubeconfig", "--revoke", "--user", "eve", "--group", "x", "--data-dir", str(self.ocim.data), check=False)
        self.assertEqual((done.returncode, "leave --group out" in done.stderr), (2, True))
        self.assertNotEqual(run("kubeconfig", "--revoke", "--user", "eve", "--data-dir", "/nonexistent", check=False).returncode, 0)

    def test_who_is_not_known_is_in_the_audit_log(self):
        for headers in {"Authorization": "Bearer hush-hush"}, {}:
            self.assertEqual(self.ocim.request("GET", "/api/v1/secrets?x=hush", headers=headers, certificate=None)[0], 401)
        log = self.ocim.data / "audit.log"
        shown = lambda: [line for line in map(json.loads, log.read_text().splitlines()) if line["code"] == 401]  # noqa: E731
        wait_until(lambda: {"bearer", "none"} <= {line["attempted"] for line in shown()}, "both are in the log")
        line = next(line for line in shown() if line["attempted"] == "bearer")
        self.assertEqual((line["user"], line["path"], line["outcome"], line["sourceIP"]), ("", "/api/v1/secrets", "unauthenticated", "127.0.0.1"))
        self.assertNotIn("hush", log.read_text())

    def test_names_of_the_server(self):
        ca = str(self.ocim.data / "pki" / "ca.crt")
        host, port = self.ocim.address()
        for name in "ocim.example.org", "localhost", "192.0.2.7":
            context = ssl.create_default_context(cafile=ca)
            import socket
            with socket.create_connection((host, port), timeout=10) as plain, context.wrap_socket(plain, server_hostname=name):
                pass

    def test_when_certificates_run_out_is_told(self):
        metrics = self.ocim.kubectl("get", "--raw", "/metrics").stdout
        for name in ("ocim_ca_expiry_timestamp_seconds ", 'ocim_certificate_expiry_timestamp_seconds{certificate="server"} ',
                     'ocim_certificate_expiry_timestamp_seconds{certificate="admin"} '):
            line = next(line for line in metrics.splitlines() if line.startswith(name))
            self.assertGreater(float(line.split()[-1]), 1.7e9)

    def test_certificates_that_are_no_good(self):
        strange = self.ocim.home / "strange"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/O=system:masters/CN=root", "-keyout", f"{strange}.key", "-out", f"{strange}.crt", "-days", "1"],
                       check=True, capture_output=True)
        code, _, body = self.ocim.request("GET", "/api", certificate=str(strange))
        self.assertEqual((code, json.loads(body)["message"]), (401, "Unauthorized"))
        pki, old = self.ocim.data / "pki", self.ocim.home / "old"
        subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ann",
                        "-keyout", f"{old}.key", "-out", f"{old}.csr"], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", f"{old}.csr", "-CA", f"{pki}/ca.crt", "-CAkey", f"{pki}/ca.key",
                        "-CAcreateserial", "-CAserial", f"{old}.srl", "-days", "-1", "-out", f"{old}.crt"],
                       check=True, capture_output=True)
        self.assertEqual(self.ocim.request("GET", "/api", certificate=str(old))[0], 401)

    def test_tokens_from_a_file(self):
        with Ocim() as other:
            other.stop()
            tokens = other.home / "tokens.csv"
            tokens.write_text('s3cr3t,carl,7,"dev,ops"\n')
            other.start("--token-auth-file", str(tokens))
            code, _, body = other.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}",
                                          {"Authorization": "Bearer s3cr3t"}, certificate=None)
            user = json.loads(body)["status"]["userInfo"]
            self.assertEqual((code, user), (201, {"username": "carl", "uid": "7", "groups": ["dev", "ops", "system:authenticated"]}))
            self.assertEqual(other.request("GET", "/api", headers={"Authorization": "Bearer nope"}, certificate=None)[0], 401)
            self.assertNotIn("s3cr3t", other.log.read_text())


if __name__ == "__main__":
    unittest.main()
