# What scenarios are written with. Bash, with as few processes as can be: starting one takes 0.1 to 1 s here.
#
#   check WHAT COMMAND...        one line of TAP; the scenario ends with the first that fails
#   hub, puck [ARGUMENT ...]     start the daemons (puck waits until it is connected)
#   expect LOG PATTERN [SECONDS] true once a line of LOG, after the one that was expected last, matches the regular
#                                expression; the line is in $line
#   until_true SECONDS COMMAND   true once COMMAND is
#   drop LOG                     what is in LOG by now is not expected any more
#   speak PITCH:MS ...           plays into the loopback card's other side, and returns when all is played
#   listen, heard_again          record there what the puck plays; true when that is what was spoken
#   converse WHAT                two checks: a sentence is answered, with what was said
#   status PATTERN               true once puckctl's status matches; it is in $said
#   is_level LINE VALUE, flashes LINE, pull LINE up|down, press   the GPIO chip's other side
#
# The guest's puck: LED lines 0-2, button 3, mute switch 4, amplifier 5 of the chip that is labelled "puck"; the sound card
# is snd-aloop's, of which device 1 is the puck's and device 0 the room's. The hub lives in the network "house".

# Nothing here takes so long; it is what a machine that is four times slower may take.
patience=60
chip=/sys/kernel/config/gpio-sim/puck
format=(-q -t raw -f S16_LE -r 16000 -c 1)
# Opened for both ways, a pipe that nobody writes to.
[ -p /run/vm/never ] || mkfifo /run/vm/never
exec {never}<>/run/vm/never

declare -A log_fd log_part
jobs_started=()
line=

# A tenth of a second, without a process.
tick() { read -rt 0.1 <&"$never" || true; }

until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        tick
    done
}

follow() {
    [ -n "${log_fd[$1]-}" ] && return
    : >>"$1"
    exec {fd}<"$1"
    log_fd[$1]=$fd log_part[$1]=
}

# The next whole line of a log in $line.
next_line() {
    local part
    if read -r part <&"${log_fd[$1]}"; then
        line=${log_part[$1]}$part log_part[$1]=
    else
        log_part[$1]+=$part
        return 1
    fi
}

expect() {
    local log=$1 pattern=$2 deadline=$((SECONDS + ${3-$patience}))
    follow "$log"
    while :; do
        while next_line "$log"; do [[ $line =~ $pattern ]] && return; done
        ((SECONDS < deadline)) || { line=; echo "# never in $log: $pattern"; return 1; }
        tick
    done
}

drop() {
    follow "$1"
    while next_line "$1"; do :; done
}

check() {
    local what=$1 text last
    shift
    # Not in a subshell: expect keeps its place.
    if "$@" >/run/vm/said; then
        echo pass >>/run/vm/results
        echo "ok $(number) - $scenario: $what"
        grep '^#' /run/vm/said
    else
        echo fail >>/run/vm/results
        : >failed
        echo "not ok $(number) - $scenario: $what ($*)"
        cat /run/vm/said
        for text in puck.log hub.log manager.log; do
            [ -f "$text" ] || continue
            mapfile -t last < <(grep -v session.clock "$text" | tail -n 12 | cut -c1-300)
            printf '# %s\n' "the end of $text:" "${last[@]}"
        done
        exit 1
    fi
}

number() {
    local lines
    mapfile -t lines </run/vm/results
    echo ${#lines[@]}
}

count() {
    local result passed=0 failed=0
    while read -r result; do
        case $result in pass) ((passed += 1)) ;; *) ((failed += 1)) ;; esac
    done </run/vm/results
    echo "$passed $failed"
}

# In a process of its own, so that it ends where it fails and leaves nothing.
run_scenario() {
    local began=$SECONDS
    mkdir -p "/run/vm/$1"
    cd "/run/vm/$1" || exit 1
    (
        scenario=$1
        trap clean_up EXIT
        . "/puck/scenarios/$scenario"
        : >finished
    )
    # One that ends of something else than a check has failed as well.
    if [ ! -e finished ] && [ ! -e failed ]; then
        echo fail >>/run/vm/results
        echo "not ok $(number) - $1: comes to its end"
    fi
    echo "# $1: $((SECONDS - began)) s"
}

clean_up() {
    local pid
    for pid in "${jobs_started[@]}"; do
        kill -CONT "$pid" && kill "$pid"
    done
    wait
    mended
}

# Everything as it was, whatever a scenario left behind.
mended() {
    ip link set puck0 up
    [ -e /proc/asound/Loopback ] || echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/bind
    echo none >/sys/power/pm_test
    if [ -d /sys/kernel/config/gpio-sim/other ]; then
        echo 0 >/sys/kernel/config/gpio-sim/other/live
        rmdir /sys/kernel/config/gpio-sim/other/bank0 /sys/kernel/config/gpio-sim/other
    fi
    [ "$(<$chip/live)" = 1 ] || echo 1 >$chip/live
    pull 3 up
    pull 4 up
}

start() {
    local log=$1
    shift
    "$@" >>"$log" 2>&1 &
    pid=$!
    jobs_started+=("$pid")
}

ended() { ! kill -0 "$1"; }

# MARK: the machine

prepare() {
    : >/run/vm/results
    echo 1 >/proc/sys/kernel/printk
    modprobe snd-aloop pcm_substreams=1 && modprobe gpio-sim && modprobe veth || return
    mkdir -p $chip/bank0 && echo 6 >$chip/bank0/num_lines && echo puck >$chip/bank0/label && echo 1 >$chip/live || return
    ip netns add house && ip link add puck0 type veth peer name house0 netns house || return
    ip addr add 10.9.0.1/24 dev puck0
    ip link set lo up
    ip link set puck0 up
    ip -n house addr add 10.9.0.2/24 dev house0
    ip -n house link set lo up
    ip -n house link set house0 up
    mkdir -p /run/hub /run/puck
    cp /puck/puckd.conf /run/puck/
    cp /puck/puckhub.conf /run/hub/
    chmod 600 /run/puck/* /run/hub/*
    local said token
    said=$(puckhub --config /run/hub/puckhub.conf token add vm)
    for token in $said; do [[ $token =~ ^[A-Za-z0-9_-]{43}$ ]] && break; done
    (umask 077 && echo "$token" >/run/puck/token)
    [ ${#token} = 43 ]
}

in_house() { ip netns exec house "$@"; }

hub() {
    start hub.log ip netns exec house puckhub --config /run/hub/puckhub.conf --set debug.record_dir="$PWD" "$@"
    hub_pid=$pid
    expect hub.log 'event=hub.listening'
}

puck() {
    start puck.log puckd --config /run/puck/puckd.conf --board /puck/board.conf "$@"
    puck_pid=$pid
    expect puck.log 'event=link.up'
}

# MARK: sound

speak() {
    probe say spoken.raw 0:300 "$@" 0:1500
    aplay "${format[@]}" -D hw:CARD=Loopback,DEV=0 spoken.raw
}

listen() {
    rm -f heard.raw
    start ear.log arecord "${format[@]}" -D hw:CARD=Loopback,DEV=0 heard.raw
    ear_pid=$pid
    until_true $patience test -s heard.raw
}

# What was spoken last is what was heard since `listen`: the same pitches in the same order, each as long to 0.1 s or
# what is given, whatever silence is in it.
heard_again() {
    local milliseconds=${1-100} spoken answer i difference
    read -ra spoken < <(probe hear spoken.raw 220 310 430)
    # Not in a process of its own, which could not wait for this one's.
    kill "$ear_pid"
    wait "$ear_pid"
    read -ra answer < <(probe hear heard.raw 220 310 430)
    echo "# spoken ${spoken[*]}, heard ${answer[*]}"
    for ((i = 1; i < ${#answer[@]}; )); do
        if [ "${answer[i]%:*}" = "${answer[i - 1]%:*}" ]; then
            answer[i - 1]=${answer[i]%:*}:$((${answer[i - 1]#*:} + ${answer[i]#*:}))
            answer=("${answer[@]:0:i}" "${answer[@]:i+1}")
        else
            ((i += 1))
        fi
    done
    [ ${#spoken[@]} -gt 0 ] && [ ${#spoken[@]} = ${#answer[@]} ] || return
    for i in "${!spoken[@]}"; do
        [ "${spoken[i]%:*}" = "${answer[i]%:*}" ] || return
        difference=$((${spoken[i]#*:} - ${answer[i]#*:}))
        ((difference >= -milliseconds && difference <= milliseconds)) || return
    done
}

# A sentence in, the answer out.
converse() {
    drop puck.log
    listen
    speak 310:500 430:500 220:500
    check "$1" expect puck.log event=play.done
    check "$1 with what was said" heard_again
}

# True when there is no such line by now.
silent() { ! expect "$1" "$2" 0; }

# True once any line of a log matches, and the place of `expect` stays.
said_ever() { until_true "${3-$patience}" grep -Eq -- "$2" "$1"; }

# True once `puckctl status` matches.
status() { until_true $patience status_is "$1"; }
status_is() {
    said=$(puckctl --socket /run/puck/control status --plain)
    [[ $said =~ $1 ]]
}

# MARK: the GPIO chip's other side

lines_at() {
    local name device
    read -r name <$chip/bank0/chip_name
    read -r device <$chip/dev_name
    lines=/sys/devices/platform/$device/$name
}

pull() {
    lines_at
    echo "pull-$2" >"$lines/sim_gpio$1/pull"
}

# The button, for 0.2 s: longer than it bounces, shorter than a long press.
press() {
    pull 3 down
    tick
    tick
    pull 3 up
}

is_level() {
    local value
    lines_at
    read -r value <"$lines/sim_gpio$1/value"
    [ "$value" = "$2" ]
}

# A light that goes on, off and on again.
flashes() {
    until_true 10 is_level "$1" 1 && until_true 10 is_level "$1" 0 && until_true 10 is_level "$1" 1
}

# Whether somebody has an output's line: by its name, which gpioinfo shows.
is_held() { gpioinfo "$(<$chip/bank0/chip_name)" | grep -q "line *$1:.*\[used"; }
