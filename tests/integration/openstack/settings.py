"""The configuration files of a control plane whose every part is on loopback and keeps all it has in one directory."""
import os

from processes import LOOPBACK

REGION = "RegionOne"
SERVICE_PASSWORD = "service-secret"
ADMIN_PASSWORD = "admin-secret"
DATABASE_PASSWORD = "database-secret"
DATABASES = ["keystone", "glance", "placement", "nova_api", "nova", "nova_cell0", "neutron"]

GLANCE_PASTE = """
[pipeline:glance-api-keystone]
pipeline = versionnegotiation authtoken context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/ = apiversions
/v2 = apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
"""

NOVA_PASTE = """
[composite:osapi_compute]
use = call:nova.api.openstack.urlmap:urlmap_factory
/ = versions
/v2.1 = v21
[composite:v21]
use = call:nova.api.auth:pipeline_factory_v21
keystone = compute_req_id faultwrap sizelimit authtoken keystonecontext v21app
[pipeline:versions]
pipeline = faultwrap versionsapp
[app:v21app]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
[app:versionsapp]
paste.app_factory = nova.api.openstack.compute.versions:Versions.factory
[filter:compute_req_id]
paste.filter_factory = nova.api.compute_req_id:ComputeReqIdMiddleware.factory
[filter:faultwrap]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory
[filter:sizelimit]
paste.filter_factory = oslo_middleware:RequestBodySizeLimiter.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:keystonecontext]
paste.filter_factory = nova.api.auth:NovaKeystoneContext.factory
"""

NEUTRON_PASTE = """
[composite:neutron]
use = egg:Paste#urlmap
/ = versions
/v2.0 = v20
[composite:v20]
use = call:neutron.auth:pipeline_factory
keystone = request_id catch_errors authtoken keystonecontext extensions v20app
[app:versions]
paste.app_factory = neutron.pecan_wsgi.app:versions_factory
[app:v20app]
paste.app_factory = neutron.api.v2.router:APIRouter.factory
[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory
[filter:catch_errors]
paste.filter_factory = oslo_middleware:CatchErrors.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:keystonecontext]
paste.filter_factory = neutron.auth:NeutronKeystoneContext.factory
[filter:extensions]
paste.filter_factory = neutron.api.extensions:plugin_aware_extension_middleware_factory
"""


def ini(sections):
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {value}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


class Settings:
    def __init__(self, directory, ports):
        self.directory = directory
        self.ports = ports
        self.auth_url = f"{self.url('keystone')}/v3"
        self.broker = f"rabbit://guest:guest@{LOOPBACK}:{ports['rabbit']}/"

    def url(self, service):
        return f"http://{LOOPBACK}:{self.ports[service]}"

    def database(self, name):
        return f"mysql+pymysql://stack:{DATABASE_PASSWORD}@{LOOPBACK}:{self.ports['mariadb']}/{name}?charset=utf8"

    def path(self, name):
        return f"{self.directory}/etc/{name}"

    def account(self, user):
        """How one service proves to Keystone who it is."""
        return {"auth_type": "password", "auth_url": self.auth_url, "username": user, "password": SERVICE_PASSWORD,
                "user_domain_name": "Default", "project_name": "service", "project_domain_name": "Default",
                "region_name": REGION}

    def token_check(self, user):
        return {**self.account(user), "www_authenticate_uri": self.auth_url, "service_token_roles": "service",
                "service_token_roles_required": "true"}

    def uwsgi(self, service, module):
        """Keystone and Placement are served by uwsgi: it closes each connection, and says so."""
        return "[uwsgi]\n" + "\n".join([
            "plugins = python3", f"http-socket = {LOOPBACK}:{self.ports[service]}", f"module = {module}",
            "need-app = true", "processes = 1", "threads = 4", "enable-threads = true", "buffer-size = 65535",
            "die-on-term = true", "wsgi-disable-file-wrapper = true", "disable-logging = true",
            "add-header = Connection: close"]) + "\n"

    def keystone(self):
        return {
            "DEFAULT": {"use_stderr": "true"},
            "database": {"connection": self.database("keystone")},
            "token": {"provider": "fernet", "expiration": 3600},
            "fernet_tokens": {"key_repository": f"{self.directory}/keystone/fernet"},
            "credential": {"key_repository": f"{self.directory}/keystone/credential"},
            # a password costs 0.3 s of CPU at bcrypt's default
            "identity": {"password_hash_rounds": 4},
            "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
        }

    def glance(self):
        return {
            "DEFAULT": {"use_stderr": "true", "bind_host": LOOPBACK, "bind_port": self.ports["glance"], "workers": 0,
                        "enabled_backends": "here:file"},
            "database": {"connection": self.database("glance")},
            "glance_store": {"default_backend": "here"},
            "here": {"filesystem_store_datadir": f"{self.directory}/glance/images"},
            "os_glance_staging_store": {"filesystem_store_datadir": f"{self.directory}/glance/staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": f"{self.directory}/glance/tasks"},
            "paste_deploy": {"flavor": "keystone", "config_file": self.path("glance-paste.ini")},
            "oslo_concurrency": {"lock_path": f"{self.directory}/glance/lock"},
            "keystone_authtoken": self.token_check("glance"),
        }

    def placement(self):
        return {
            "DEFAULT": {"use_stderr": "true"},
            "placement_database": {"connection": self.database("placement")},
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": self.token_check("placement"),
        }

    def nova(self, with_database):
        """nova-compute refuses to run when it is told of a database."""
        sections = {
            "DEFAULT": {"use_stderr": "true", "host": "loopback-host", "my_ip": LOOPBACK,
                        "state_path": f"{self.directory}/nova", "transport_url": self.broker,
                        "compute_driver": "fake.FakeDriver", "enabled_apis": "osapi_compute",
                        "osapi_compute_listen": LOOPBACK, "osapi_compute_listen_port": self.ports["nova"],
                        "osapi_compute_workers": 1, "vif_plugging_is_fatal": "false", "vif_plugging_timeout": 0,
                        "instance_usage_audit": "false", "report_interval": 10, "service_down_time": 60},
            "api": {"auth_strategy": "keystone"},
            "conductor": {"workers": 1},
            "scheduler": {"workers": 1},
            "wsgi": {"api_paste_config": self.path("nova-paste.ini")},
            "vnc": {"enabled": "false"},
            "oslo_concurrency": {"lock_path": f"{self.directory}/nova/lock"},
            "oslo_messaging_notifications": {"driver": "noop"},
            "keystone_authtoken": self.token_check("nova"),
        }
        for service in ("glance", "placement", "neutron"):
            sections[service] = {**self.account("nova"), "endpoint_override": self.url(service)}
        if with_database:
            sections["api_database"] = {"connection": self.database("nova_api")}
            sections["database"] = {"connection": self.database("nova")}
        return sections

    def neutron(self):
        return {
            "DEFAULT": {"use_stderr": "true", "bind_host": LOOPBACK, "bind_port": self.ports["neutron"],
                        "state_path": f"{self.directory}/neutron", "transport_url": self.broker,
                        "core_plugin": "ml2", "service_plugins": "router", "auth_strategy": "keystone",
                        "api_paste_config": self.path("neutron-paste.ini"), "api_workers": 0, "rpc_workers": 1,
                        "rpc_state_report_workers": 0, "dhcp_agent_notification": "false",
                        # Nova learns of floating addresses by these
                        "notify_nova_on_port_status_changes": "true", "notify_nova_on_port_data_changes": "true",
                        "send_events_interval": 1},
            "database": {"connection": self.database("neutron")},
            "nova": self.account("nova"),
            "ml2": {"type_drivers": "local,flat", "tenant_network_types": "local", "mechanism_drivers": "loopback",
                    "extension_drivers": "port_security"},
            "ml2_type_flat": {"flat_networks": "*"},
            "securitygroup": {"enable_security_group": "true", "enable_ipset": "false"},
            "oslo_concurrency": {"lock_path": f"{self.directory}/neutron/lock"},
            "oslo_messaging_notifications": {"driver": "noop"},
            "keystone_authtoken": self.token_check("neutron"),
        }

    def rabbit(self):
        return (f"listeners.tcp.1 = {LOOPBACK}:{self.ports['rabbit']}\nlog.console = true\n"
                "log.console.level = warning\nvm_memory_high_watermark.absolute = 1GB\n"
                "disk_free_limit.absolute = 50MB\n")

    def files(self):
        return {
            "keystone.conf": ini(self.keystone()),
            "keystone.ini": self.uwsgi("keystone", "keystone.server.wsgi:initialize_public_application()"),
            "glance.conf": ini(self.glance()),
            "glance-paste.ini": GLANCE_PASTE,
            "placement.conf": ini(self.placement()),
            "placement.ini": self.uwsgi("placement", "placement.wsgi:init_application()"),
            "nova.conf": ini(self.nova(True)),
            "nova-compute.conf": ini(self.nova(False)),
            "nova-paste.ini": NOVA_PASTE,
            "neutron.conf": ini(self.neutron()),
            "neutron-paste.ini": NEUTRON_PASTE,
            "rabbitmq.conf": self.rabbit(),
            "rabbitmq-plugins": "[].\n",
            "rabbitmq-env.conf": "",
        }

    def write(self):
        for name in ("etc", "keystone/fernet", "keystone/credential", "glance/images", "nova", "neutron", "rabbit",
                     "mysql"):
            os.makedirs(f"{self.directory}/{name}", mode=0o700)
        for name, text in self.files().items():
            with open(self.path(name), "w") as out:
                out.write(text)
