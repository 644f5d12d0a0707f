# Stops the site that run_tutor.sh launched. Argument: the run's folder.
if [ -s "$1/tutor" ] && [ -e /srv/tutor/env ]; then
    TUTOR_ROOT=/srv/tutor TUTOR_PLUGINS_ROOT=/srv/tutor-plugins timeout -k 1 12 "$(cat "$1/tutor")" local stop
fi
exit 0
