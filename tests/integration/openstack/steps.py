"""What is done once to a new control plane, each step a program of its own: steps.py STEP ARGUMENT..."""
import os
import sys
import time


def as_program(name, main, *arguments):
    """Runs another program's main in a child: each of them wants to be the only one in its process."""
    child = os.fork()
    if child == 0:
        sys.argv = [name, *arguments]
        status = main() or 0
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 1)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"{name} {arguments[-1]} failed")


def keystone(configuration, password, region, url):
    from keystone.cmd import cli

    def manage():
        return cli.main(argv=sys.argv)
    common = ["--config-file", configuration]
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    for command in (["fernet_setup", *owner], ["credential_setup", *owner], ["db_sync"],
                    ["bootstrap", "--bootstrap-password", password, "--bootstrap-region-id", region,
                     "--bootstrap-service-name", "keystone", "--bootstrap-public-url", url,
                     "--bootstrap-internal-url", url, "--bootstrap-admin-url", url]):
        as_program("keystone-manage", manage, *common, *command)


def glance(configuration):
    from glance.cmd.manage import main
    as_program("glance-manage", main, "--config-file", configuration, "db_sync")


def neutron(configuration):
    from neutron.db.migration.cli import main
    as_program("neutron-db-manage", main, "--config-file", configuration, "upgrade", "heads")


def placement(configuration):
    from placement.cmd.manage import main
    as_program("placement-manage", main, "--config-file", configuration, "db", "sync")


def open_nova(configuration):
    from nova.cmd import manage
    from nova import config
    sys.argv = ["nova-manage"]
    config.parse_args(["nova-manage", "--config-file", configuration])
    return manage


def nova(configuration, cell0):
    manage = open_nova(configuration)
    for step in (manage.ApiDbCommands().sync,
                 lambda: manage.CellV2Commands().map_cell0(database_connection=cell0),
                 manage.DbCommands().sync,
                 lambda: manage.CellV2Commands().create_cell(name="cell1")):
        status = step()
        if status:
            sys.exit(status)


def hosts(configuration, limit):
    """Waits for nova-compute's first report and gives its host to the cell."""
    open_nova(configuration)
    from nova import context, objects
    objects.register_all()
    from nova.objects import host_mapping
    deadline = time.monotonic() + float(limit)
    while time.monotonic() < deadline:
        if host_mapping.discover_hosts(context.get_admin_context()):
            return
        time.sleep(0.3)
    sys.exit("nova-compute has not reported")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
