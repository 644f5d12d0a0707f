# Prints how a site is used, as far as its server can tell: "hits N", "users N", "courses N", a line each.
# Arguments: where Open edX is installed (/edx).
edx=$1
app=$edx/app/edxapp

# Visitors: the addresses behind a leading "- - ", which is what the load balancer's own requests do not have.
read_logs() {
    for log in "$edx"/var/log/nginx/access.log*; do
        case $log in
            *.gz) gzip -dc -- "$log" ;;
            *) cat -- "$log" ;;
        esac
    done
}
if [ -r "$edx/var/log/nginx/access.log" ]; then
    echo "hits $(read_logs 2>/dev/null | sed -nE 's/^- - (([0-9]{1,3}\.){3}[0-9]{1,3})([^0-9.].*)?$/\1/p' | sort -u | wc -l)"
fi

# What the LMS knows, asked with the very settings that it runs with.
[ -x "$app/venvs/edxapp/bin/python" ] && cd "$app/edx-platform" || exit 0
settings=$(sed -nE 's/^export DJANGO_SETTINGS_MODULE="?([A-Za-z0-9_.]+)"?$/\1/p' "$app/lms.sh" | tail -n 1)
[ -n "$settings" ] || exit 0
count='
import os, sys
sys.path.insert(0, os.getcwd())
try:
    import lms.startup
    lms.startup.run()
except ImportError:
    import django
    django.setup()
from django.contrib.auth import get_user_model
print("users %d" % get_user_model().objects.count())
sys.stdout.flush()
from xmodule.modulestore.django import modulestore
print("courses %d" % len(modulestore().get_courses()))
'
become() {
    if command -v setpriv >/dev/null; then
        setpriv "--reuid=$(id -u www-data)" "--regid=$(id -g www-data)" --init-groups "$@"
    else
        runuser -u www-data -- "$@"
    fi
}
become sh -c '[ ! -r "$1/edxapp_env" ] || . "$1/edxapp_env"; export DJANGO_SETTINGS_MODULE="$2" SERVICE_VARIANT=lms
    exec "$1/venvs/edxapp/bin/python" -c "$3" 2>/dev/null' sh "$app" "$settings" "$count"
