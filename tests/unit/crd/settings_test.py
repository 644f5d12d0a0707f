#!/usr/bin/python3
"""docs/migrating-settings.md speaks of every old setting once, and of no field that there is not."""
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "migrating-settings.md"
SETTINGS = """SECRET_KEY ALLOWED_HOSTS DEBUG ENABLE_DEBUG_TOOLBAR DATABASE_URL REDIS_URL TEST_RUNNER RUNDEV_SERVER_ADDRESS_PORT
HUEY_QUEUE_NAME HUEY_ALWAYS_EAGER DRAGON_SERVER_ADDRESS_PORT DRAGON_URL OPENSTACK_USER OPENSTACK_PASSWORD OPENSTACK_TENANT
OPENSTACK_AUTH_URL OPENSTACK_REGION OPENSTACK_SANDBOX_FLAVOR OPENSTACK_SANDBOX_BASE_IMAGE OPENSTACK_SANDBOX_SSH_KEYNAME
OPENSTACK_SANDBOX_SSH_USERNAME OPENEDX_APPSERVER_SECURITY_GROUP_NAME OPENEDX_APPSERVER_SECURITY_GROUP_RULES SWIFT_ENABLE
SWIFT_OPENSTACK_USER SWIFT_OPENSTACK_PASSWORD SWIFT_OPENSTACK_TENANT SWIFT_OPENSTACK_AUTH_URL SWIFT_OPENSTACK_REGION
BACKUP_SWIFT_ENABLED BACKUP_SWIFT_TARGET BACKUP_SWIFT_TARSNAP_KEY_LOCATION BACKUP_SWIFT_TARSNAP_CACHE_LOCATION
BACKUP_SWIFT_TARSNAP_KEY_ARCHIVE_NAME BACKUP_SWIFT_SNITCH DEFAULT_RABBITMQ_API_URL DEFAULT_INSTANCE_RABBITMQ_URL
INSTANCE_EPHEMERAL_DATABASES DEFAULT_INSTANCE_MYSQL_URL DEFAULT_INSTANCE_MONGO_URL GANDI_API_KEY DEFAULT_INSTANCE_BASE_DOMAIN
DEFAULT_STUDIO_DOMAIN_PREFIX DEFAULT_LMS_PREVIEW_DOMAIN_PREFIX DEFAULT_DISCOVERY_DOMAIN_PREFIX DEFAULT_ECOMMERCE_DOMAIN_PREFIX
GITHUB_ACCESS_TOKEN DEFAULT_FORK WATCH_FORK WATCH_ORGANIZATION DEFAULT_ADMIN_ORGANIZATION DEFAULT_CONFIGURATION_REPO_URL
DEFAULT_OPENEDX_RELEASE DEFAULT_CONFIGURATION_VERSION OPENEDX_RELEASE_STABLE_REF STABLE_EDX_PLATFORM_REPO_URL
STABLE_EDX_PLATFORM_COMMIT STABLE_CONFIGURATION_REPO_URL STABLE_CONFIGURATION_VERSION ANSIBLE_PYTHON_PATH ANSIBLE_LINE_TIMEOUT
ANSIBLE_GLOBAL_TIMEOUT EMAIL_BACKEND DEFAULT_FROM_EMAIL SERVER_EMAIL EMAIL_SUBJECT_PREFIX EMAIL_HOST EMAIL_PORT EMAIL_USE_TLS
EMAIL_HOST_USER EMAIL_HOST_PASSWORD ADMINS INSTANCE_SMTP_RELAY_HOST INSTANCE_SMTP_RELAY_PORT INSTANCE_SMTP_RELAY_USERNAME
INSTANCE_SMTP_RELAY_PASSWORD INSTANCE_SMTP_RELAY_SENDER_DOMAIN BASE_HANDLERS LOGGING_ROTATE_MAX_KBYTES LOGGING_ROTATE_MAX_FILES
HONCHO_PROCESS_NAME LOG_LIMIT SUBDOMAIN_BLACKLIST BETATEST_EMAIL_SENDER BETATEST_EMAIL_SIGNATURE NEWRELIC_LICENSE_KEY
NEWRELIC_ADMIN_USER_API_KEY DEFAULT_LOAD_BALANCING_SERVER LOAD_BALANCER_FRAGMENT_NAME_PREFIX PRELIMINARY_PAGE_SERVER_IP
NUM_INITIAL_APPSERVERS_SHOWN INSTANCE_AGE_THRESHOLD""".split()


def schemas():
    out = {}
    for file in (ROOT / "crd-schemas").glob("*.yaml"):
        crd = yaml.safe_load(file.read_text())
        out[crd["spec"]["names"]["kind"]] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return out


def has(schema, path):
    for name in path:
        schema = schema.get("items", schema).get("properties", {}).get(name)
        if schema is None:
            return False
    return True


def main():
    kinds, wrong, seen = schemas(), [], []
    page = PAGE.read_text()
    for line in page.splitlines():
        if not line.startswith("| `"):
            continue
        first, answer = line.strip("| ").split(" | ", 1)
        seen += [name for name in re.findall(r"`([^`]+)`", first) if re.fullmatch("[A-Z_]+", name)]
        if not answer.strip():
            wrong.append(f"says nothing: {line}")
    for field in re.findall(r"`([A-Z]\w*(?:\.\w+)+)`", page):
        kind, *path = field.split(".")
        if kind not in kinds:
            wrong.append(f"no kind: {field}")
        elif not has(kinds[kind], path):
            wrong.append(f"no field: {field}")
    wrong += [f"is missing: {name}" for name in SETTINGS if name not in seen]
    wrong += [f"is there {seen.count(name)} times: {name}" for name in sorted(set(seen)) if seen.count(name) > 1]
    wrong += [f"was no setting: {name}" for name in sorted(set(seen) - set(SETTINGS))]
    for text in wrong:
        print(f"{PAGE.name}: {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
