"""Stands for Tutor and docker where neither can be installed: the same command line, checked strictly, and a small site.

It knows the commands, settings and files that Ocim uses, as Tutor 21 has them, and refuses everything else.
"""
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys

VERSION = "21.0.8"
STOCK_PLUGINS = {"indigo", "mfe"}
# name: (type, default); None: not needed; "draw": Tutor draws it once and keeps it in config.yml
SETTINGS = {
    "LMS_HOST": (str, None), "CMS_HOST": (str, None), "PREVIEW_LMS_HOST": (str, None), "MFE_HOST": (str, None),
    "MEILISEARCH_PUBLIC_URL": (str, None), "PLATFORM_NAME": (str, "My Open edX"),
    "CONTACT_EMAIL": (str, None), "LANGUAGE_CODE": (str, "en"), "ENABLE_HTTPS": (bool, False), "ENABLE_WEB_PROXY": (bool, True),
    "CADDY_HTTP_PORT": (int, 80), "PLUGINS": (list, ["mfe", "indigo"]), "RUN_MYSQL": (bool, True), "MYSQL_HOST": (str, "mysql"),
    "MYSQL_PORT": (int, 3306), "MYSQL_ROOT_USERNAME": (str, "root"), "MYSQL_ROOT_PASSWORD": (str, "draw"),
    "OPENEDX_MYSQL_DATABASE": (str, "openedx"), "OPENEDX_MYSQL_USERNAME": (str, "openedx"),
    "OPENEDX_MYSQL_PASSWORD": (str, "draw"), "RUN_MONGODB": (bool, True), "MONGODB_HOST": (str, "mongodb"),
    "MONGODB_PORT": (int, 27017), "MONGODB_DATABASE": (str, "openedx"), "MONGODB_USERNAME": (str, None),
    "MONGODB_PASSWORD": (str, None), "RUN_SMTP": (bool, True), "SMTP_HOST": (str, "smtp"), "SMTP_PORT": (int, 8025),
    "SMTP_USERNAME": (str, None), "SMTP_PASSWORD": (str, None), "SMTP_USE_TLS": (bool, False), "EDX_PLATFORM_REPOSITORY": (str, None),
    "EDX_PLATFORM_VERSION": (str, None), "OPENEDX_COMMON_VERSION": (str, "release/ulmo.3"), "OPENEDX_SECRET_KEY": (str, "draw"),
    "CMS_OAUTH2_SECRET": (str, "draw"), "ID": (str, "draw"), "MEILISEARCH_MASTER_KEY": (str, "draw"),
    "JWT_RSA_PRIVATE_KEY": (str, "draw key")}
PATCHES = {"openedx-common-settings", "openedx-lms-common-settings", "openedx-cms-common-settings",
           "openedx-lms-production-settings", "openedx-auth", "lms-env", "cms-env", "lms-env-features", "caddyfile",
           "local-docker-compose-services", "openedx-dockerfile-post-python-requirements"}


def fail(text, code=1):
    print(f"Error: {text}", file=sys.stderr)
    sys.exit(code)


def read_yaml(path):
    """What write_yaml writes, and JSON."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("{"):
        return json.loads(text)
    out, block = {}, None
    for line in text.splitlines():
        if line.startswith("  "):
            out[block] += ("\n" if out[block] else "") + line[2:]
        elif line:
            block, _, value = line.partition(": ")
            out[block] = "" if value == "|-" else json.loads(value)
    return out


def write_yaml(path, values):
    """As people have it: one setting a line, long texts as blocks."""
    lines = []
    for name, value in sorted(values.items()):
        if isinstance(value, str) and "\n" in value:
            lines += [f"{name}: |-", *("  " + line for line in value.splitlines())]
        else:
            lines.append(f"{name}: {json.dumps(value)}")
    with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write("\n".join(lines) + "\n")


class Root:
    def __init__(self):
        if "TUTOR_ROOT" not in os.environ or "TUTOR_PLUGINS_ROOT" not in os.environ:
            fail("TUTOR_ROOT and TUTOR_PLUGINS_ROOT are not set")
        self.path = pathlib.Path(os.environ["TUTOR_ROOT"])
        self.config = self.path / "config.yml"
        self.plugins = pathlib.Path(os.environ["TUTOR_PLUGINS_ROOT"])
        stray = [name for name in os.environ if name.startswith("TUTOR_") and name not in ("TUTOR_ROOT", "TUTOR_PLUGINS_ROOT")]
        if stray:
            fail(f"stray settings in the environment: {stray}")

    def installed(self):
        out = {name: {} for name in STOCK_PLUGINS}
        for file in self.plugins.glob("*.yml"):
            plugin = read_yaml(file)
            if plugin.get("name") != file.stem or not re.fullmatch(r"\d+\.\d+\.\d+", plugin.get("version", "")):
                fail(f"{file}: no plugin {file.stem}")
            unknown = set(plugin) - {"name", "version", "patches", "config"} or set(plugin.get("patches", {})) - PATCHES
            if unknown:
                fail(f"{file}: unknown {unknown}")
            out[file.stem] = plugin
        return out

    def load(self):
        values = read_yaml(self.config) if self.config.exists() else {}
        if self.config.exists() and self.config.stat().st_mode & 0o077:
            fail("config.yml can be read by others")
        for name, value in values.items():
            kind = SETTINGS.get(name, (None,))[0]
            if kind is None:
                fail(f"unknown setting {name}")
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                fail(f"{name} is no {kind.__name__}")
        return values

    def save(self, values):
        for name, (_, default) in SETTINGS.items():
            if default == "draw" and name not in values:
                values[name] = secrets.token_hex(12)
            if default == "draw key" and name not in values:
                body = "\n".join(secrets.token_urlsafe(48) for _ in range(20))
                values[name] = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
        write_yaml(self.config, values)
        (self.path / "env").mkdir(exist_ok=True)
        effective = {**{n: d for n, (_, d) in SETTINGS.items() if d not in (None, "draw", "draw key")}, **values}
        patches = {}
        installed = self.installed()
        for name in effective["PLUGINS"]:
            if name not in installed:
                print(f"Failed to load plugin {name}", file=sys.stderr)
            patches.update(installed.get(name, {}).get("patches", {}))
        write_yaml(self.path / "env" / "effective.yml", {**effective, "patches": patches})
        print(f"Configuration saved to {self.config}\nEnvironment generated in {self.path}/env")
        return effective


def config_save(root):
    root.save(root.load())


def plugins_enable(root, name):
    if name not in root.installed():
        fail(f"Failed to enable plugin '{name}': plugin '{name}' is not installed.")
    values = root.load()
    names = values.setdefault("PLUGINS", list(SETTINGS["PLUGINS"][1]))
    if name not in names:
        names.append(name)
    write_yaml(root.config, values)
    print(f"Plugin {name} enabled\nYou should now re-generate your environment with `tutor config save`.")


def images_build(root, name):
    if name not in ("openedx", "mfe"):
        fail(f"Image '{name}' could not be found")
    (root.path / "built").mkdir(exist_ok=True)
    (root.path / "built" / name).touch()
    print(f"Building image docker.io/overhangio/{name}:{VERSION}")


def local_launch(root):
    effective = root.save(root.load())
    for name in ("LMS_HOST", "CMS_HOST", "CONTACT_EMAIL"):
        if name not in effective:
            fail(f"{name} is not set")
    if effective["ENABLE_WEB_PROXY"]:
        fail("the web proxy asks for certificates by itself, which needs the Internet")
    if not effective["RUN_MYSQL"]:
        for who in (("MYSQL_ROOT_USERNAME", "MYSQL_ROOT_PASSWORD"), ("OPENEDX_MYSQL_USERNAME", "OPENEDX_MYSQL_PASSWORD")):
            run = mysql(effective, *who, "SELECT 1")
            if run.returncode:
                fail(f"mysql: {run.stderr.strip()}")
    from_source = {"EDX_PLATFORM_REPOSITORY", "EDX_PLATFORM_VERSION"} & set(effective)
    if from_source and not (root.path / "built" / "openedx").exists():
        fail("docker.io/overhangio/openedx: this image is not the one that the settings ask for")
    site = pathlib.Path("/opt/site")
    site.mkdir(exist_ok=True)
    (site / "standin.py").write_text(pathlib.Path(__file__).read_text())
    (site / "root").write_text(str(root.path))
    rc = pathlib.Path("/etc/rc.local")
    rc.write_text("#!/bin/sh\nexec /usr/bin/python3 /opt/site/standin.py serve\n")
    rc.chmod(0o755)
    print("The platform is now running and can be accessed at the following urls:\n\n"
          f"    https://{effective['LMS_HOST']}\n    https://{effective['CMS_HOST']}")


class CommandError(Exception):
    """As Django's."""


def manage_user(root, *words):
    """The LMS's own command of this name, with the options that Ocim uses."""
    if len(words) < 4 or words[2] != "--initial-password-hash" or set(words[4:]) - {"--staff", "--superuser"}:
        raise CommandError(f"Error: unrecognized arguments: {words[:2]}")
    (username, email), password = words[:2], words[3]
    if not re.fullmatch(r"[\w.@+-]{1,150}", username, re.ASCII) or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise CommandError(f"no user: {username}")
    if not re.fullmatch(r"(pbkdf2_sha256|argon2|bcrypt_sha256)\$\S+", password):
        raise CommandError(f"The password hash provided for user {username} is invalid.")
    file = root.path / "users.json"
    users = json.loads(file.read_text()) if file.exists() else {}
    if users.setdefault(username, {"email": email, "hash": password})["email"] != email:
        raise CommandError(f"Cannot edit user {username}: the existing email is not {email}")
    users[username] |= {"staff": "--staff" in words, "superuser": "--superuser" in words}
    file.write_text(json.dumps(users))


def lms_shell(root, program):
    """`./manage.py lms shell -c PROGRAM`, in the container of the LMS, which has no django here but this."""
    import types
    if not pathlib.Path("/opt/site/root").exists():
        fail('service "lms" is not running')
    if any("$" in word for word in sys.argv):
        fail("a hash is a word of the command")
    modules = {name: types.ModuleType(name) for name in ("django", "django.core", "django.core.management")}
    commands = {"manage_user": manage_user}
    modules["django.core.management"].call_command = lambda name, *words: commands[name](root, *words)
    sys.modules.update(modules)
    exec(program, {"__name__": "shell"})


def local_stop(root):
    (root.path / "stopped").touch()
    subprocess.run(["pkill", "-f", "standin.py serve"], check=False)


def mysql(effective, user, password, statement):
    options = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"client-{os.getpid()}.cnf"
    with open(options, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(f"[client]\nuser={effective[user]}\npassword={effective[password]}\nhost={effective['MYSQL_HOST']}\n"
                   f"port={effective['MYSQL_PORT']}\n")
    try:
        return subprocess.run(["mariadb", f"--defaults-file={options}", "-N", "-B", effective["OPENEDX_MYSQL_DATABASE"]],
                              input=statement, capture_output=True, text=True, timeout=10, check=False)
    finally:
        options.unlink()


def serve():
    import hashlib
    import http.server
    root = pathlib.Path(pathlib.Path("/opt/site/root").read_text())
    effective = read_yaml(root / "env" / "effective.yml")

    class Site(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            database = True
            if not effective["RUN_MYSQL"]:
                database = mysql(effective, "OPENEDX_MYSQL_USERNAME", "OPENEDX_MYSQL_PASSWORD", "SELECT 1").returncode == 0
            if self.path == "/heartbeat":
                body = json.dumps({"modulestore": {"status": True}, "sql": {"status": database}})
                return self.answer(200 if database else 503, body)
            hosts = {effective["LMS_HOST"], effective["CMS_HOST"], effective["PREVIEW_LMS_HOST"], effective["MFE_HOST"],
                     effective["MEILISEARCH_PUBLIC_URL"].removeprefix("https://")}
            if (self.headers["Host"] or "").partition(":")[0] not in hosts:  # its web server knows no other site
                return self.answer(404, "")
            return self.answer(200, json.dumps({
                "name": effective["PLATFORM_NAME"], "lms": effective["LMS_HOST"], "cms": effective["CMS_HOST"],
                "database": database, "patches": effective["patches"], "plugins": effective["PLUGINS"],
                "run": [n for n in ("RUN_MYSQL", "RUN_MONGODB", "RUN_SMTP") if effective[n]], "mail": effective["SMTP_HOST"],
                "users": json.loads(people.read_text()) if (people := root / "users.json").exists() else {},
                "key": hashlib.sha256(effective["OPENEDX_SECRET_KEY"].encode()).hexdigest(),
                "rsa": hashlib.sha256(effective["JWT_RSA_PRIVATE_KEY"].encode()).hexdigest()}))

        def answer(self, status, text):
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("", effective["CADDY_HTTP_PORT"]), Site).serve_forever()


def main():
    given = sys.argv[1:]
    if given == ["--version"]:
        return print(f"tutor, version {VERSION}")
    commands = ((("config", "save"), config_save), (("plugins", "enable", None), plugins_enable),
                (("images", "build", None), images_build), (("local", "launch", "--non-interactive"), local_launch),
                (("local", "exec", "-T", "lms", "./manage.py", "lms", "shell", "-c", None), lms_shell),
                (("local", "stop"), local_stop))
    for words, function in commands:
        if len(words) == len(given) and all(word in (None, said) for word, said in zip(words, given)):
            return function(Root(), *[said for word, said in zip(words, given) if word is None])
    return fail(f"no such command: tutor {' '.join(given)}", 2)


def docker():
    if sys.argv[1:] != ["compose", "version"]:
        fail(f"docker: unknown command {sys.argv[1:]}", 1)
    print("Docker Compose version v2.40.0")


if __name__ == "__main__" and sys.argv[1:] == ["serve"]:
    serve()
