#!/usr/bin/python3
"""`ocim serve --webhook-listen`: a door for strangers, through which nothing else of the server can be reached."""
import hashlib
import hmac
import http.client
import pathlib
import re
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import Ocim, wait_until  # noqa: E402


class Webhooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ocim = Ocim("--webhook-listen", "127.0.0.1:0")
        cls.addClassCleanup(cls.ocim.close)
        tokens = cls.ocim.home / "tokens.csv"
        tokens.write_text("admin-token,root,1,system:masters\n")
        cls.ocim.start("--token-auth-file", str(tokens))
        found = lambda: re.search(r"webhooks=\"?http://127\.0\.0\.1:(\d+)", cls.ocim.log.read_text())  # noqa: E731
        cls.port = int(wait_until(found, "the log names the port").group(1))

    def code(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            reply.read()
            return reply.status
        finally:
            connection.close()

    def raw(self, text, expect_end=True):
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as peer:
            peer.sendall(text)
            answer = b""
            while expect_end or b"\r\n\r\n" not in answer:
                more = peer.recv(65536)
                if not more:
                    break
                answer += more
            return answer.decode("latin-1")

    def test_what_nobody_has_asked_for_is_not_there(self):
        body = b"{}"
        signed = {"X-Hub-Signature-256": "sha256=" + hmac.new(b"", body, hashlib.sha256).hexdigest(), "X-GitHub-Delivery": "1"}
        wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
        for headers in {}, signed, wrong, signed:
            self.assertEqual(self.code("POST", "/github", body, headers), 404)
        for method in "GET", "PUT", "DELETE", "PATCH":
            self.assertEqual(self.code(method, "/github", body, signed), 404)

    def test_the_rest_of_the_server_is_not_behind_it(self):
        self.assertEqual(self.ocim.request("GET", "/api", headers={"Authorization": "Bearer admin-token"}, certificate=None)[0], 200)
        for path in ("/", "/api", "/apis", "/api/v1/namespaces", "/api/v1/secrets", "/openapi/v2", "/openapi/v3", "/version", "/metrics",
                     "/healthz", "/livez", "/readyz", "/openid/v1/jwks", "/.well-known/openid-configuration", "//api", "/../api", "/%61pi"):
            for headers in {}, {"Authorization": "Bearer admin-token"}:
                self.assertEqual(self.code("GET", path, headers=headers), 404, path)
        before = self.ocim.kubectl("get", "namespaces", "-o", "name").stdout
        manifest = b'{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"smuggled"}}'
        self.assertEqual(self.code("POST", "/api/v1/namespaces", manifest, {"Authorization": "Bearer admin-token"}), 404)
        answer = self.raw(b"POST /github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
                          b"GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nConnection: close\r\n\r\n")
        self.assertEqual(re.findall(r"HTTP/1\.1 (\d+)", answer), ["404", "404"], "one after another on a connection")
        answer = self.raw(b"GET https://127.0.0.1/api HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nConnection: close\r\n\r\n")
        self.assertIn("HTTP/1.1 404", answer)
        self.assertEqual(self.ocim.kubectl("get", "namespaces", "-o", "name").stdout, before)

    def test_a_body_has_an_end(self):
        self.assertEqual(self.code("POST", "/github", b"x" * (3 * 1024 * 1024)), 404, "just fits")
        answer = self.raw(b"POST /github HTTP/1.1\r\nHost: x\r\nContent-Length: 3145729\r\n\r\n")
        self.assertIn("HTTP/1.1 413", answer)
        answer = self.raw(b"POST /github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n")
        self.assertRegex(answer, r"HTTP/1\.1 4\d\d")
        self.assertEqual(self.ocim.kubectl("get", "--raw", "/readyz").stdout, "ok", "the server is well")


if __name__ == "__main__":
    unittest.main()
