"""``lightning-neuro completion bash|zsh|fish``: a script that asks the program for words at each Tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightning_neuro.errors import ConfigError
from lightning_neuro.similar import did_you_mean

USAGE = """\
Complete commands, keys, options and files with Tab:  lightning-neuro completion bash|zsh|fish

  bash    source <(lightning-neuro completion bash)              in ~/.bashrc
  zsh     source <(lightning-neuro completion zsh)               in ~/.zshrc, after compinit
  fish    lightning-neuro completion fish | source               in ~/.config/fish/config.fish

The script is for lightning-neuro and for deploy.
"""

# COMP_WORDBREAKS holds "=", so bash hands over what follows it alone; the words are split here instead, at blanks.
BASH = """\
_lightning_neuro() {
    local typed="${COMP_LINE:0:COMP_POINT}" word
    local -a words
    read -ra words <<< "$typed"
    [[ "$typed" == *[[:space:]] ]] && words+=("")
    local current="${words[-1]}" offered
    COMPREPLY=()
    while IFS= read -r offered; do
        [[ "$current" == *=* ]] && offered="${offered#"${current%%=*}="}"
        COMPREPLY+=("$offered")
    done < <(lightning-neuro completion --words "${words[@]}" 2>/dev/null)
    for word in "${COMPREPLY[@]}"; do
        [[ "$word" == *[=/] ]] && compopt -o nospace
    done
}
complete -F _lightning_neuro lightning-neuro deploy
"""

ZSH = """\
#compdef lightning-neuro deploy
_lightning_neuro() {
    local -a offered open
    offered=("${(@f)$(lightning-neuro completion --words "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    open=("${(@M)offered:#*[=/]}")
    offered=("${(@)offered:#*[=/]}")
    offered=("${(@)offered:#}")
    compadd -S '' -- $open
    compadd -- $offered
}
compdef _lightning_neuro lightning-neuro deploy
"""

FISH = """\
function __lightning_neuro_words
    set -l typed (commandline -opc) (commandline -ct)
    lightning-neuro completion --words $typed 2>/dev/null
end
complete -c lightning-neuro -f -a '(__lightning_neuro_words)'
complete -c deploy -f -a '(__lightning_neuro_words)'
"""

SHELLS: Mapping[str, str] = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion_main(arguments: Sequence[str]) -> None:
    """Entry point of ``lightning-neuro completion``."""
    first, *rest = arguments or [""]
    if first in ("-h", "--help"):
        print(USAGE)
    elif first == "--words":
        from lightning_neuro.commands.words import words

        print("\n".join(words(rest)))
    elif first in SHELLS and not rest:
        print(SHELLS[first], end="")
    else:
        raise ConfigError(
            f"no completion for {' '.join(arguments)!r}{did_you_mean(first, SHELLS)}" if first else "no shell is named",
            where="command line",
            why="each shell has a script of its own; there are bash, zsh and fish",
            next_command="source <(lightning-neuro completion bash)",
        )
