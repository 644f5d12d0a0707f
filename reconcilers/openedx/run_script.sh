# Runs what makes this machine a server, detached from whoever started it. Arguments:
#   FOLDER CACHE INIT LINE_TIMEOUT TOTAL_TIMEOUT [ARGUMENT…]
# FOLDER holds provision.sh, which defines the function "provision" that gets the further arguments, and what that needs.
# In FOLDER this leaves: init, log, step (which it is or was in; "download" when requirements could not be had), commit,
# started, finished, gaveup (why it was killed), group (of processes), and exit (the exit code, written last and as a
# whole). CACHE is kept from run to run. INIT tells one start of the machine from the next, as run_look.sh does.
# Started in a session of its own, so that $$ is the process group. The lock and the file "started" make a second start
# do nothing.
set -u
umask 077
export LC_ALL=C.UTF-8 GIT_TERMINAL_PROMPT=0 PYTHONUNBUFFERED=1 HOME="${HOME:-/tmp}"
folder=$1 cache=$2 init=$3 line_timeout=$4 total_timeout=$5
shift 5
cd "$folder" || exit 1
exec 9>lock
flock -n 9 || exit 0
[ -e started ] && exit 0
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
echo $$ >group
echo "$init" >init
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

# --- what is kept from run to run

# What nothing has used for a month goes. $1: "mirrors" or "environments"
forget_unused() {
    find "$cache/$1" -mindepth 1 -maxdepth 1 ! -name '*.lock' -mtime +30 | while read -r unused; do
        flock -n "$unused.lock" rm -rf "$unused" && rm -f "$unused.lock"
    done
}

# Brings $version of $repository into $mirror, under the mirror's lock; its commit into $folder/commit. A commit that is
# there already is not asked for.
update_mirror() {
    cd "$mirror" && git init -q --bare || return 1
    case $version in
        *[!0-9a-f]*) ;;
        ????????????????????????????????????????)
            if git cat-file -e "refs/ocim/$version^{commit}" 2>/dev/null; then
                echo "$version" >"$folder/commit"
                return
            fi
            ;;
    esac
    if git fetch -q --depth 1 -- "$repository" "$version" 2>/dev/null; then
        commit=$(git rev-parse -q --verify 'FETCH_HEAD^{commit}') || return 1
    else
        # a commit that the server gives only as a part of its branches
        git fetch -q --prune -- "$repository" '+refs/heads/*:refs/fetched/*' '+refs/tags/*:refs/tags/*' || return 1
        commit=$(git rev-parse -q --verify "refs/fetched/$version^{commit}" ||
            git rev-parse -q --verify "$version^{commit}") || {
            echo "ocim: $version is no branch, tag or commit of $repository"
            return 1
        }
    fi
    git update-ref "refs/ocim/$commit" "$commit" && echo "$commit" >"$folder/commit"
}

# $1 at $2, checked out in $folder/source, by way of a mirror in the cache.
fetch() {
    repository=$1 version=$2
    # the address may hold a password: it names nothing
    mirror=$cache/mirrors/$(printf %s "$repository" | sha256sum | cut -c 1-64)
    mkdir -p "$cache/mirrors" && forget_unused mirrors
    (
        flock 8
        mkdir -p "$mirror" && touch "$mirror" && (update_mirror) 8>&- || exit 1
        commit=$(cat "$folder/commit")
        git init -q "$folder/source" && cd "$folder/source" || exit 1
        git fetch -q --depth 1 -- "file://$mirror" "refs/ocim/$commit" && git checkout -q --detach "$commit" && exit 0
        echo "ocim: the mirror of the repository is damaged; it is made anew next time"
        rm -rf "$mirror"
        exit 1
    ) 8>"$mirror.lock"
}

# Prints what stands for everything that the requirements file $1 says, with those that it names; nothing for one that
# means something else another time: files of this machine, branches.
content_key() {
    python3 - "$1" <<'END'
import hashlib, os, re, sys, sysconfig

key = hashlib.sha256(f"{sys.version}\n{sysconfig.get_platform()}\n".encode())


def add(path, above=()):
    text = open(path, encoding="utf-8").read()
    key.update(f"{len(text)}\n{text}".encode())
    for line in re.sub(r"\\\n", "", text).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        named = re.match(r"(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)$", line)
        if named:
            other = os.path.join(os.path.dirname(path), named[1])
            if "://" in named[1] or other in above or len(above) > 20:
                sys.exit()
            add(other, (*above, path))
        elif re.match(r"-e|--editable|[./]|[A-Za-z]:\\", line) or re.search(r"(^|[\s@])file:", line):
            sys.exit()
        elif re.search(r"(git|hg|svn|bzr)\+", line) and not re.search(r"@[0-9a-f]{40}(#|\s|$)", line):
            sys.exit()


try:
    add(sys.argv[1])
except (OSError, ValueError):
    sys.exit()
print(key.hexdigest())
END
}

# Makes the Python environment that the requirements file $1 asks for, or finds the one that another run made of the
# same words; sets venv. One exit code stands for everything that can go wrong in pip: its own log tells whether it got no
# proper answer, which another time may be different, or an answer that will stay.
environment() {
    [ -f "$1" ] || {
        echo "ocim: the repository has no file $requirements"
        return 1
    }
    key=$(content_key "$1")
    if [ -z "$key" ]; then
        venv=$folder/venv
        build_environment "$1"
        return
    fi
    venv=$cache/environments/$key
    mkdir -p "$cache/environments" && forget_unused environments
    (
        flock 8
        if [ -e "$venv/complete" ]; then
            echo "ocim: the environment of these requirements is there already"
            touch "$venv"
            exit 0
        fi
        rm -rf "$venv"
        (build_environment "$1") 8>&- && touch "$venv/complete"
    ) 8>"$venv.lock"
}
build_environment() {
    python3 -m venv "$venv" || return 1
    "$venv/bin/pip" --log "$folder/pip.log" install -q -r "$1" && return 0
    grep -qE "$unreachable" "$folder/pip.log" && echo download >"$folder/step"
    return 1
}
# of pip and its HTTP library, and of git for a requirement that names a repository
unreachable='Retrying \(Retry\(|[Cc]onnection ?([Ee]rror|refused|reset|timed out)|Read timed out|TimeoutError'
unreachable="$unreachable|IncompleteRead|ProtocolError|[Cc]ould not resolve host|Temporary failure in name resolution"
unreachable="$unreachable|HTTP error (429|5[0-9][0-9])|too many [0-9]+ error responses|returned error: (429|5[0-9][0-9])"

. ./provision.sh
(provision "$@") 9>&-
conclude $?
