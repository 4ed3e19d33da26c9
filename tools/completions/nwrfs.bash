# nwrfs.bash -- completion of nwrfs for bash; goes to /usr/share/bash-completion/completions/nwrfs.
# shellcheck shell=bash

_nwrfs_mounts() { awk '$3 == "fuse.nwrfs" { print $2 }' /proc/self/mounts; }

_nwrfs() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=
    local commands="serve mount umount stop status conflicts diff resolve why set get ring repair
        scrub check keygen"
    local keys="w= r= on-conflict=keep on-conflict=reject durability=default durability=memory
        durability=disk conflicts=list conflicts=hide sloppy=on
        sloppy=off"

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$cur")
        return
    fi
    case $prev in
    --data)
        compopt -o dirnames
        return
        ;;
    --key)
        compopt -o default
        return
        ;;
    --keep)
        mapfile -t COMPREPLY < <(compgen -W "head all" -- "$cur")
        return
        ;;
    --listen | --join | --peers | --n | --w | --r | --pg | -o) return ;;
    esac
    case ${COMP_WORDS[1]} in
    serve) words="--data --listen --join --key --n --w --r -f --help" ;;
    mount) words="--data --peers --listen --join --key --n --w --r -o -f --help" ;;
    umount) words="--help $(_nwrfs_mounts)" ;;
    stop) words="--data --help" ;;
    status) words="--data --json --help $(_nwrfs_mounts)" ;;
    ring) words="list add remove replace weight n --data --wait --force --json --help $(_nwrfs_mounts)" ;;
    repair | scrub) words="--data --pg --wait --help $(_nwrfs_mounts)" ;;
    conflicts | why) words="--json --help" ;;
    check) words="--repair --json --help" ;;
    diff) words="--base --help" ;;
    get | keygen) words="--help" ;;
    resolve) words="--keep --merge --help" ;;
    set) words="-R --help $keys" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    compopt -o default
}
complete -F _nwrfs nwrfs
