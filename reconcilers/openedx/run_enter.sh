# Runs a program on the controller's host as somebody who may nothing there. Arguments:
#   DATA_DIRECTORY NAMESPACE PROGRAM [WORD…]
# Started as root in a mount namespace of its own. Each namespace has a user of its own, whose home is
# DATA_DIRECTORY/runner/NAMESPACE and is seen as /home/ocim: nothing of ours, of other namespaces or of people is seen.
set -eu
umask 022
data=$1 namespace=$2 program=$3
shift 3
case $namespace in "" | .* | */*) exit 1 ;; esac
home=$data/runner/$namespace
# far from everybody's: neither people, services nor containers have these numbers
first=1895825408
mkdir -p "$data/runner"
(
    flock 9
    [ ! -d "$home" ] || exit 0
    user=$first
    for other in "$data"/runner/*/; do
        [ -d "$other" ] || continue
        number=$(stat -c %u "$other")
        [ "$number" -lt "$user" ] || user=$((number + 1))
    done
    rm -rf "$home.new"
    mkdir -m 0700 "$home.new"
    mkdir -m 0700 "$home.new/runs" "$home.new/cache" "$home.new/tmp"
    chown -R "$user:$user" "$home.new"
    mv "$home.new" "$home"
) 9>"$data/runner/.lock"
user=$(stat -c %u "$home")
[ "$user" -ge "$first" ]

# first what is needed of our data, then what hides it
mount --bind "$home" /mnt
mount -t tmpfs -o mode=0755,size=4m,nosuid,nodev tmpfs /home
mkdir /home/ocim
mount --move /mnt /home/ocim
cat /etc/passwd >/home/passwd
echo "ocim:x:$user:$user:Ocim:/home/ocim:/bin/sh" >>/home/passwd
cat /etc/group >/home/group
echo "ocim:x:$user:" >>/home/group
mount --bind /home/passwd /etc/passwd
mount --bind /home/group /etc/group
for folder in "$data" /root /mnt /media /srv; do
    [ ! -d "$folder" ] || mount -t tmpfs -o ro,mode=0555,size=4k tmpfs "$folder"
done
for folder in /tmp /var/tmp /dev/shm; do
    [ ! -d "$folder" ] || mount --bind /home/ocim/tmp "$folder"
done
# other people's processes and their command lines
mount -t proc -o hidepid=2 proc /proc || {
    echo "this host does not let other users' processes be hidden: let playbooks run on their machines" >&2
    exit 1
}
cd /home/ocim
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
    env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/ocim USER=ocim LOGNAME=ocim LC_ALL=C.UTF-8 \
    sh -c "$program" "$@"
