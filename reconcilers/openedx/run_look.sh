# Shows every run in a folder: lines "word value" for each folder below $1, then the end of its log, by length. $init
# tells one start of the machine from the next, as run_init.sh prints it there.
for folder in "$1"/*/; do
    [ -d "$folder" ] || continue
    cd "$folder" || continue
    echo "run $(basename "$folder")"
    for name in mark step gaveup commit started finished exit; do
        [ -s "$name" ] && echo "$name $(head -n 1 "$name")"
    done
    if [ -s check ] && [ "$(cat exit 2>/dev/null)" = 0 ]; then
        if [ -s verified ]; then
            echo "verified $(head -n 1 verified)"
        elif [ -s init ] && [ "$(cat init)" != "$init" ]; then
            [ -s rebooted ] || date +%s >rebooted
            echo "waited $(($(date +%s) - $(cat rebooted)))"
            sed 's/^/check./' check
        fi
    fi
    [ -s generated ] && [ ! -e kept.yml ] && [ ! -e exit ] && echo "asks yes"
    [ -e lock ] && ! flock -n lock true && echo "alive yes"
    if [ -e log ]; then
        bytes=$(stat -c %s log)
        echo "bytes $bytes"
        # what stands in whole lines
        [ "$(tail -c 1 log | wc -l)" = 1 ] || bytes=$((bytes - $(tail -n 1 log | wc -c)))
        echo "lines $bytes"
        tail -c 1048576 log | awk '/^(TASK|RUNNING HANDLER) \[/ { sub(/^[^[]*\[/, ""); sub(/\] \*+$/, ""); task = $0 }
             /^(fatal|failed): / { failed = task }
             /^\.\.\.ignoring/ { failed = "" }
             END { if (task != "") print "task " task; if (failed != "") print "failed " failed }'
        tail -c 8192 log >log.tail
        echo "tail $(stat -c %s log.tail)"
        cat log.tail
        echo
        rm -f log.tail
    fi
done
