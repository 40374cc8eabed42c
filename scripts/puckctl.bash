# bash completion for puckctl, puckd and puckhub, made of what their --help says: nothing here has to be kept in step.

# The words of the help that are options, each on a line.
_puck_options() { sed -n 's/^  \(-., \|    \)\(--[a-z-]*\).*/\2/p'; }

_puck_complete() {
    local current=${COMP_WORDS[COMP_CWORD]}
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_puck_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}

# Options everywhere, and the words of the usage line.
_puck_daemon() {
    local help
    help=$("$1" --help 2>/dev/null) || return
    case ${COMP_WORDS[COMP_CWORD]} in
    -*) _puck_complete "$(printf '%s\n' "$help" | _puck_options)" ;;
    *)
        _puck_complete "$(printf '%s\n' "$help" | sed -n '/^usage: /,/^$/p' | tr -d '[]' | tr '|' '\n' |
            awk '{ sub(/^usage: [a-z]* OPTION\.\.\./, ""); if ($1 ~ /^[a-z]+$/) print $1 }')"
        [ ${#COMPREPLY[@]} -gt 0 ] || _puck_files
        ;;
    esac
}
_puckd() {
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --config | -c | --board | --check-board | --system-root) _puck_files ;;
    *) _puck_daemon puckd ;;
    esac
}
_puckhub() {
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --config | -c) _puck_files ;;
    *) _puck_daemon puckhub ;;
    esac
}

_puckctl() {
    local help command="" count=0 word i
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --socket | -s | --config | -c | --state-dir | --model | --wake-dir) _puck_files && return ;;
    --hub) return ;;
    esac
    # The command, and which of its words this one is.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --socket | -s | --config | -c | --state-dir | --hub | --model | --wake-dir) ((i++)) ;;
        -*) ;;
        *)
            if [ -n "$command" ]; then ((count++)); else command=$word; fi
            ;;
        esac
    done
    if [ -z "$command" ] || { [ "$command" = help ] && [ $count -eq 0 ]; }; then
        help=$(puckctl --help 2>/dev/null) || return
        case ${COMP_WORDS[COMP_CWORD]} in
        -*) _puck_complete "$(printf '%s\n' "$help" | _puck_options)" ;;
        *) _puck_complete "$(printf '%s\n' "$help" | sed -n '/^commands:$/,/^$/s/^  \([a-z]*\).*/\1/p')" ;;
        esac
        return
    fi
    help=$(puckctl help "$command" 2>/dev/null) || return
    case ${COMP_WORDS[COMP_CWORD]} in
    -*) _puck_complete "$(printf '%s\n' "$help" | _puck_options)" && return ;;
    esac
    case $command:$count in
    play:0 | record:1) _puck_files ;;
    wake:0) _puck_complete "list try add remove" ;;
    wake:1)
        case " ${COMP_WORDS[*]} " in
        *" remove "*)
            _puck_complete "$(puckctl wake list --json 2>/dev/null | tr '{' '\n' | sed -n 's/^"model":"\([^"]*\)".*/\1/p')"
            ;;
        *) _puck_files ;;
        esac
        ;;
    lights:0)
        _puck_complete "auto $(printf '%s\n' "$help" | tr '\n' ' ' | sed -n 's/.*States: \([a-z, ]*\)\..*/\1/p' | tr -d ,)"
        ;;
    # The alternatives that its usage line shows, such as on|off.
    *:0) _puck_complete "$(printf '%s\n' "$help" | sed -n '1s/.* //p' | grep '^[a-z]*|[a-z|]*$' | tr '|' ' ')" ;;
    esac
}
complete -F _puckd puckd
complete -F _puckhub puckhub
complete -F _puckctl puckctl
