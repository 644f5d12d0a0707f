# Makes this machine a site with "tutor local". Arguments of provision:
#   plugin=PLUGIN … image=IMAGE …
# to enable and to build. In $folder there are config.yml (settings), perhaps requirements.txt, plugin.yml (a plug-in of
# our own, named "ocim") and users.json (of the LMS). What Tutor draws for the site is shown in "generated"; nothing is launched before it
# comes back in "kept.yml", kept for good.
export TUTOR_ROOT=/srv/tutor TUTOR_PLUGINS_ROOT=/srv/tutor-plugins

# As the log of a playbook has it; run_look.sh reads it.
task() { echo "TASK [tutor : $1] ********"; }

save_settings() {
    install -m 0600 "$1" "$TUTOR_ROOT/config.yml" && tutor config save
}

await_keeping() {
    task "have the drawn settings kept"
    cp "$TUTOR_ROOT/config.yml" "$folder/generated.tmp" && mv "$folder/generated.tmp" "$folder/generated" || return 1
    seconds=0
    while [ ! -e "$folder/kept.yml" ]; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 60)) -ne 0 ] || echo "ocim: waiting until the settings are kept"
    done
    rm -f "$folder/generated"
}

# Runs in the LMS. The hashes come by the standard input, never as words of a command.
make_users='
import json
import sys

from django.core.management import call_command

said = json.load(sys.stdin)
failed = 0
for user in said["users"]:
    words = [user["username"], user["email"], "--initial-password-hash", user["initial_password_hash"]]
    words += ["--" + word for word in ("staff", "superuser") if user[word]]
    try:
        call_command("manage_user", *words)
        print("ok: user " + user["username"], flush=True)
    except Exception as error:
        failed += 1
        print("failed: user " + user["username"] + ": " + str(error), flush=True)
if failed and not said["must_succeed"]:
    print("...ignoring", flush=True)
sys.exit(1 if failed and said["must_succeed"] else 0)
'

provision() {
    mkdir -p "$TUTOR_ROOT" "$TUTOR_PLUGINS_ROOT" || return 1
    echo requirements >"$folder/step"
    if [ -e "$folder/requirements.txt" ]; then
        task "install tutor"
        requirements=requirements.txt
        environment "$folder/requirements.txt" || return 1
        PATH=$venv/bin:$PATH
    fi
    tutor --version || return 1
    docker compose version || {
        echo "ocim: this machine has no docker with compose v2: choose an image that has it"
        return 1
    }
    command -v tutor >"$folder/tutor"
    echo settings >"$folder/step"
    task "save the settings"
    install -m 0600 "$folder/config.yml" "$TUTOR_ROOT/config.yml" || return 1
    if [ -e "$folder/plugin.yml" ]; then
        install -m 0600 "$folder/plugin.yml" "$TUTOR_PLUGINS_ROOT/ocim.yml" && tutor plugins enable ocim || return 1
    fi
    for word in "$@"; do
        case $word in plugin=*) tutor plugins enable "${word#plugin=}" || return 1 ;; esac
    done
    tutor config save && await_keeping && save_settings "$folder/kept.yml" || return 1
    echo images >"$folder/step"
    for word in "$@"; do
        case $word in image=*) ;; *) continue ;; esac
        task "build image ${word#image=}"
        tutor images build "${word#image=}" || return 1
    done
    echo launch >"$folder/step"
    task "launch"
    tutor local launch --non-interactive || return
    [ -e "$folder/users.json" ] || return 0
    echo users >"$folder/step"
    task "make users of the LMS"
    tutor local exec -T lms ./manage.py lms shell -c "$make_users" <"$folder/users.json"
    code=$?
    rm -f "$folder/users.json"
    return $code
}
