# The records of the hooks, and the checks of them. Only snapshot and has_run ask a cluster or a node.
# shellcheck shell=bash

# The kernel gives files the time of its last tick: a file may seem older than it is by so many nanoseconds (HZ=100).
readonly TICK=10000000

# snapshot: copies the node's records to the file $RECORDS.
snapshot() {
    node cat "$NODE_DIRECTORY/records" >"$RECORDS"
}

# assert_whole: each line of $RECORDS is a record, of some container.
assert_whole() {
    local form='^stage=[a-z]+ name=[^ ]+ id=[^ ]+ began=[0-9]+ ended=[0-9]+ pid=([0-9]+|-) exe=[^ ]+ exe_end=[^ ]+ \.$'
    local torn
    torn=$(grep --line-number --invert-match --extended-regexp "$form" "$RECORDS") || return 0
    complain "no record, or a torn one: $torn"
}

# records ID: the lines of $RECORDS about a container, in the order in which the hooks began.
records() {
    local line
    while IFS= read -r line; do
        [[ $line == *" id=$1 "* ]] || continue
        printf '%s %s\n' "$(value "$line" began)" "$line"
    done <"$RECORDS" | sort -n | cut -d' ' -f2-
}

# records_of_stage ID STAGE: as records, of one stage.
records_of_stage() {
    records "$1" | grep -E "(^| )stage=$2 " || true
}

# value LINE KEY: what a record says.
value() {
    local rest=" $1 "
    [[ $rest == *" $2="* ]] || complain "a record has no $2: $1" || return
    rest=${rest#*" $2="}
    printf '%s\n' "${rest%% *}"
}

# ran ID: what ran for a container, as STAGE/NAME in order, on one line.
ran() {
    local line all=()
    while IFS= read -r line; do
        all+=("$(value "$line" stage)/$(value "$line" name)")
    done < <(records "$1")
    printf '%s\n' "${all[*]}"
}

# new_ids FILE COUNT: writes the ids of the containers with records behind the first COUNT of $RECORDS to the file.
new_ids() {
    sed "1,$2d; s/.* id=\([^ ]*\) .*/\1/" "$RECORDS" | sort -u >"$1"
}

# has_run ID STAGE/NAME: whether a hook has run for a container by now.
has_run() {
    local all
    snapshot
    all=$(ran "$1")
    [[ " $all " == *" $2 "* ]]
}

# pid_of ID: init of a container, as the node counts.
pid_of() {
    local line pid
    while IFS= read -r line; do
        pid=$(value "$line" pid)
        if [ "$pid" != - ]; then
            printf '%s\n' "$pid"
            return
        fi
    done < <(records "$1")
    complain "no hook of container $1 was told its init"
}

# assert_ran ID STAGE/NAME...: exactly these hooks ran for a container, each once, in this order.
assert_ran() {
    local id=$1 all
    shift
    assert_whole || return
    all=$(ran "$id") || return
    [ "$all" = "$*" ] || complain "container $id: expected \"$*\", but there ran \"$all\""
}

# assert_in_order ID: no hook of a container began before the one before it had ended.
assert_in_order() {
    local line began ended=0
    while IFS= read -r line; do
        began=$(value "$line" began)
        [ "$began" -ge "$ended" ] || complain "it began before the one before it had ended: $line" || return
        ended=$(value "$line" ended)
        [ "$ended" -ge "$began" ] || complain "it ended before it began: $line" || return
    done < <(records "$1")
}

# assert_prestart ID STARTED PROGRAM: the prestart hooks ran while there was a init that did not run its program
# yet, and had ended when that began.
assert_prestart() {
    local line exe
    while IFS= read -r line; do
        exe=$(value "$line" exe_end)
        [ "$exe" != - ] || complain "there was no init: $line" || return
        [ "$exe" != "$3" ] || complain "init ran already: $line" || return
        [ "$(value "$line" ended)" -le $(($2 + TICK)) ] ||
            complain "it ended after init had begun, at $2: $line" || return
    done < <(records_of_stage "$1" prestart)
}

# assert_poststart ID PROGRAM: the poststart hooks ran while init ran its program.
assert_poststart() {
    local line key
    while IFS= read -r line; do
        for key in exe exe_end; do
            [ "$(value "$line" "$key")" = "$2" ] || complain "init did not run $2: $line" || return
        done
    done < <(records_of_stage "$1" poststart)
}

# assert_poststart_of_direct ID STARTED PROGRAM: with delivery direct it is the OCI runtime that chooses the moment:
# inside of create (runc up to 1.5.1), when init was started, whether or not it has its program yet (crun), or
# when it has. So a hook ends before init begins, or beside its program.
assert_poststart_of_direct() {
    local line when="when init has begun"
    while IFS= read -r line; do
        [ "$(value "$line" exe)" != - ] || complain "there was no init: $line" || return
        if [ "$(value "$line" exe_end)" != "$3" ]; then
            [ "$(value "$line" ended)" -le $(($2 + TICK)) ] ||
                complain "neither before nor while init ran its program: $line" || return
            when="before init begins (runc up to 1.5.1), as documented for direct"
        fi
    done < <(records_of_stage "$1" poststart)
    say "poststart: this OCI runtime runs it $when"
}

# assert_poststop ID GONE: the poststop hooks began when init was gone, and had ended when the pod was, at GONE.
assert_poststop() {
    local line
    while IFS= read -r line; do
        [ "$(value "$line" pid)" != - ] || complain "nobody told which init it was: $line" || return
        [ "$(value "$line" exe)" = - ] || complain "init was still there: $line" || return
        [ "$(value "$line" ended)" -le "$2" ] || complain "the pod was gone before, at $2: $line" || return
    done < <(records_of_stage "$1" poststop)
}

# assert_stages SHAPE ID STARTED PROGRAM GONE: each stage ran at its moment.
assert_stages() {
    local shape=$1 id=$2 started=$3 program=$4 gone=$5
    assert_in_order "$id" || return
    assert_prestart "$id" "$started" "$program" || return
    if [ "$shape" = full ]; then
        assert_poststart "$id" "$program" || return
    else
        assert_poststart_of_direct "$id" "$started" "$program" || return
    fi
    assert_poststop "$id" "$gone"
}

# assert_each FILE STAGE/NAME...: for each container that the file names, one a line, exactly these hooks ran. Prints all
# containers with other hooks.
assert_each() {
    local file=$1 id wrong=0 all=0
    shift
    while IFS= read -r id; do
        all=$((all + 1))
        assert_ran "$id" "$@" || wrong=$((wrong + 1))
    done <"$file"
    [ "$all" -gt 0 ] || complain "$file names no container" || return
    [ "$wrong" -eq 0 ] || complain "$wrong of $all containers have not exactly their hooks" || return
    say "each of $all containers has its hooks, once"
}
