#!/usr/bin/python3
"""Git's own http-backend behind HTTPS, for tests.

    git_server.py PORT CERTIFICATE KEY FOLDER [USER:TOKEN]

Serves every repository below FOLDER. The file FOLDER/trouble makes the next requests go wrong: "stall" (no answer for as
long as the client waits), "cut" (half of the answer), "elsewhere" (a redirect), "dumb" (a page of something else).
"""
import base64
import http.server
import os
import pathlib
import ssl
import subprocess
import sys
import threading

PORT, CERTIFICATE, KEY, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
ACCOUNT = sys.argv[5] if len(sys.argv) > 5 else ""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *words):
        print(self.command, self.path, words[1] if len(words) > 1 else "", flush=True)

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refused(self):
        if not ACCOUNT:
            return False
        wanted = "Basic " + base64.b64encode(ACCOUNT.encode()).decode()
        return self.headers.get("Authorization") != wanted

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        trouble = (FOLDER / "trouble").read_text() if (FOLDER / "trouble").exists() else ""
        if trouble == "stall":
            threading.Event().wait(60)
            return
        if trouble == "elsewhere":
            self.answer(301, [("Location", "https://other.example.com/")], b"")
            return
        if trouble == "dumb":
            self.answer(200, [("Content-Type", "text/plain")], b"<html>")
            return
        if self.refused():
            self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"no")
            return
        path, _, query = self.path.partition("?")
        environment = dict(os.environ, GIT_PROJECT_ROOT=str(FOLDER), GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path,
                           QUERY_STRING=query, REQUEST_METHOD=self.command, REMOTE_ADDR="127.0.0.1",
                           CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)))
        done = subprocess.run(["/usr/lib/git-core/git-http-backend"], input=body, env=environment, check=False,
                              stdout=subprocess.PIPE)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        headers = [(name, value) for name, value in headers if name != "Status"]
        if trouble == "cut" and self.command == "POST":
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:len(content) // 2])
            self.close_connection = True
            return
        self.answer(status, headers, content)

    do_GET = do_POST = serve


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
