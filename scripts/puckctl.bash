# bash completion for puckctl, puckd and puckhub: what --help lists.
_puck_words() {
    local program=$1 current=${COMP_WORDS[COMP_CWORD]} help
    help=$("$program" --help 2>/dev/null) || return
    # shellcheck disable=SC2207
    COMPREPLY=($(compgen -W "$(
        printf '%s\n' "$help" | sed -n 's/^  \(-., \|    \)\(--[a-z-]*\).*/\2/p'
        printf '%s\n' "$help" | sed -n '/^usage: /,/^$/p' | tr -d '[]' | tr '|' '\n' | awk '{
            sub(/^usage: [a-z]* OPTION\.\.\./, ""); if ($1 ~ /^[a-z]+$/) print $1 }'
    )" -- "$current"))
}
_puckctl() {
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    case $previous in
    night) COMPREPLY=($(compgen -W 'on off auto' -- "${COMP_WORDS[COMP_CWORD]}")) ;;
    code) COMPREPLY=($(compgen -W 'new' -- "${COMP_WORDS[COMP_CWORD]}")) ;;
    pairing) COMPREPLY=($(compgen -W 'on off' -- "${COMP_WORDS[COMP_CWORD]}")) ;;
    --socket | -s | play | record) COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")) ;;
    *) _puck_words puckctl ;;
    esac
}
complete -F _puckctl puckctl
