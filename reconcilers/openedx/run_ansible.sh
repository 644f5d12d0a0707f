# A playbook, run on this machine or from the controller's host. Arguments of provision:
#   REPOSITORY VERSION PLAYBOOK REQUIREMENTS [USERS_PLAYBOOK]
# In $folder there is variables.yml, for a second playbook users.yml; from the controller's host also inventory.json, key and known_hosts.
export ANSIBLE_FORCE_COLOR=0 ANSIBLE_NOCOLOR=1 ANSIBLE_RETRY_FILES_ENABLED=0

# The playbook $1 with the variables of the file $2.
play() (
    case $1 in */*) cd "${1%/*}" || return 1 ;; esac
    playbook=${1##*/} variables=$2
    set -- -c local -i localhost,
    if [ -e "$folder/inventory.json" ]; then
        # the machine's key is known beforehand: no other is accepted
        ANSIBLE_SSH_ARGS="-o ControlMaster=no -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$folder/known_hosts"
        ANSIBLE_SSH_ARGS="$ANSIBLE_SSH_ARGS -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes"
        export ANSIBLE_SSH_ARGS ANSIBLE_HOST_KEY_CHECKING=True
        set -- -i "$folder/inventory.json"
    fi
    "$ansible" "$@" -e "@$variables" "$playbook"
)

provision() {
    repository=$1 version=$2 playbook=$3 requirements=$4 users=${5-}
    echo fetch >"$folder/step"
    fetch "$repository" "$version" || return 1
    cd "$folder/source" || return 1
    ansible=ansible-playbook
    if [ -n "$requirements" ]; then
        echo requirements >"$folder/step"
        environment "$requirements" || return 1
        ansible=$venv/bin/ansible-playbook
    fi
    echo playbook >"$folder/step"
    play "$playbook" "$folder/variables.yml"
    code=$?
    if [ $code = 0 ] && [ -n "$users" ]; then
        echo users >"$folder/step"
        play "$users" "$folder/users.yml"
        code=$?
    fi
    rm -f "$folder/key" "$folder/users.yml"
    return $code
}
