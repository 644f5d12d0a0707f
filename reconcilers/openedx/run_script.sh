# Runs one playbook on this machine, detached from whoever started it. Arguments:
#   FOLDER REPOSITORY VERSION PLAYBOOK REQUIREMENTS LINE_TIMEOUT TOTAL_TIMEOUT
# In FOLDER it leaves: init, log, step (which it is or was in; "download" when requirements could not be had), commit,
# started, finished, gaveup (why it was killed), group (of processes), and exit (the exit code, written last and as a
# whole).
# variables.yml is there before. Started in a session of its own, so that $$ is the process group. The lock and the
# file "started" make a second start do nothing.
set -u
umask 077
export LC_ALL=C.UTF-8 ANSIBLE_FORCE_COLOR=0 ANSIBLE_NOCOLOR=1 ANSIBLE_RETRY_FILES_ENABLED=0 GIT_TERMINAL_PROMPT=0
export HOME="${HOME:-/tmp}" PYTHONUNBUFFERED=1
folder=$1 repository=$2 version=$3 playbook=$4 requirements=$5 line_timeout=$6 total_timeout=$7
cd "$folder" || exit 1
exec 9>lock
flock -n 9 || exit 0
[ -e started ] && exit 0
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
echo $$ >group
# as run_look.sh tells one start of this machine from the next
echo "$(cat /proc/sys/kernel/random/boot_id) $(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)" >init
now >started.tmp && mv started.tmp started
began=$(date +%s)
exec >>log 2>&1 </dev/null

# $1: the exit code; the file appears as a whole, after everything else
conclude() {
    now >finished
    echo "$1" >exit.tmp && mv exit.tmp exit
}

# Ends the whole group when the log stands still, or the run takes too long; then $1 says why.
give_up() {
    echo "ocim: $1; the run is killed"
    echo "$1" >gaveup
    conclude 124
    kill -9 -$$
}
(
    while sleep 2 && [ ! -e exit ]; do
        at=$(date +%s)
        still=$((at - $(stat -c %Y log)))
        [ "$still" -le "$line_timeout" ] || give_up "nothing was printed for $still seconds"
        [ $((at - began)) -le "$total_timeout" ] || give_up "it took longer than $total_timeout seconds"
    done
) 9>&- &

fetch() {
    git init -q source && cd source || return 1
    if git fetch -q --depth 1 -- "$repository" "$version" 2>/dev/null; then
        commit=$(git rev-parse -q --verify 'FETCH_HEAD^{commit}') || return 1
    else
        # a commit that the server gives only as a part of its branches
        git fetch -q -- "$repository" '+refs/heads/*:refs/fetched/*' '+refs/tags/*:refs/tags/*' || return 1
        commit=$(git rev-parse -q --verify "$version^{commit}") || {
            echo "ocim: $version is no branch, tag or commit of $repository"
            return 1
        }
    fi
    echo "$commit" >"$folder/commit"
    git checkout -q --detach "$commit"
}

# Installs $requirements. One exit code stands for everything that can go wrong in pip: its own log tells whether it got no
# proper answer, which another time may be different, or an answer that will stay.
install() {
    [ -f "$requirements" ] || {
        echo "ocim: the repository has no file $requirements"
        return 1
    }
    python3 -m venv "$folder/venv" || return 1
    "$folder/venv/bin/pip" --log "$folder/pip.log" install -q -r "$requirements" && return 0
    grep -qE "$unreachable" "$folder/pip.log" && echo download >"$folder/step"
    return 1
}
# of pip and its HTTP library, and of git for a requirement that names a repository
unreachable='Retrying \(Retry\(|[Cc]onnection ?([Ee]rror|refused|reset|timed out)|Read timed out|TimeoutError'
unreachable="$unreachable|IncompleteRead|ProtocolError|[Cc]ould not resolve host|Temporary failure in name resolution"
unreachable="$unreachable|HTTP error (429|5[0-9][0-9])|too many [0-9]+ error responses|returned error: (429|5[0-9][0-9])"

run() {
    echo fetch >"$folder/step"
    fetch || return 1
    ansible=ansible-playbook
    if [ -n "$requirements" ]; then
        echo requirements >"$folder/step"
        install || return 1
        ansible=$folder/venv/bin/ansible-playbook
    fi
    echo playbook >"$folder/step"
    case $playbook in */*) cd "${playbook%/*}" || return 1 ;; esac
    "$ansible" -c local -i localhost, -e "@$folder/variables.yml" "${playbook##*/}"
}

(run) 9>&-
conclude $?
