/**
 * Completion scripts for shells, made from descriptions of the commands.
 *
 * @module
 */

/** An option of a command. */
export interface CompletedOption {
  /** `-t`; undefined when there is none. */
  readonly short?: string;
  /** `--target`. */
  readonly long: string;
  /** Whether a value follows. */
  readonly takesValue: boolean;
  /** Whether that value is a file or a folder. */
  readonly takesFile?: boolean;
  /** One line. */
  readonly description: string;
}

/** A command. */
export interface CompletedCommand {
  readonly name: string;
  /** One line. */
  readonly description: string;
  readonly options: readonly CompletedOption[];
  /** Its own subcommands, or the words that its argument may be. */
  readonly words: readonly string[];
  /** Whether its argument may be a target. */
  readonly takesTarget: boolean;
}

/** The supported shells. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A supported shell. */
export type Shell = typeof SHELLS[number];

/** The completion script for a shell. */
export function completionScript(
  shell: Shell,
  commands: readonly CompletedCommand[],
): string {
  switch (shell) {
    case "bash":
      return bash(commands);
    case "zsh":
      return zsh(commands);
    case "fish":
      return fish(commands);
  }
}

const names = (option: CompletedOption) =>
  option.short === undefined ? [option.long] : [option.short, option.long];

/** Quotes a text for a shell, with single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function bash(commands: readonly CompletedCommand[]): string {
  const cases = commands.map((command) =>
    `    ${command.name}) words=${
      quoted([...command.words, ...command.options.flatMap(names)].join(" "))
    } ;;`
  ).join("\n");
  // One name may stand for a file in one command, for another value elsewhere.
  const named = (which: (option: CompletedOption) => boolean) => [
    ...new Set(
      commands.flatMap(({ options }) => options.filter(which).flatMap(names)),
    ),
  ];
  const files = named((option) => option.takesFile === true);
  const valued = named((option) => option.takesValue)
    .filter((name) => ![...files, "-t", "--target"].includes(name));
  const targeted = commands.filter((command) => command.takesTarget)
    .map((command) => command.name);
  return `# xftrace completion for bash: source <(xftrace completions bash)
# Adds those words that begin with what was typed. Not \`compgen -W\`, which
# would expand them: a name may be one that somebody else chose.
_xftrace_words() {
  local word
  for word in "$@"; do [[ $word == "$cur"* ]] && COMPREPLY+=("$word"); done
}
# Adds files; readline quotes their names where it inserts them.
_xftrace_files() {
  local file
  while IFS= read -r file; do COMPREPLY+=("$1$file"); done < <(compgen -f -- "$2")
  compopt -o filenames
}
_xftrace_targets() {
  local -a found
  case $cur in
    file:*|core:*) _xftrace_files "\${cur%%:*}:" "\${cur#*:}" ;;
    *)
      mapfile -t found < <(xftrace completions targets 2>/dev/null | LC_ALL=C grep -xE '[A-Za-z0-9_.:@-]+')
      _xftrace_words "\${found[@]}" file: core: $1 ;;
  esac
  if [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]]; then
    COMPREPLY=("\${COMPREPLY[@]#"\${cur%"\${cur##*:}"}"}")
  fi
  [[ \${COMPREPLY[0]} == *: || \${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
_xftrace() {
  # bash cuts at the colons of targets, so the words are taken from the line.
  local line=\${COMP_LINE:0:COMP_POINT} cur prev words command word
  local -a parts
  read -ra parts <<< "$line"
  [[ $line == *[[:space:]] ]] && parts+=("")
  cur=\${parts[-1]} prev=\${parts[-2]}
  COMPREPLY=()
  if [[ $cur == --*=* ]]; then prev=\${cur%%=*} cur=\${cur#*=}; fi
  for word in "\${parts[@]:1:\${#parts[@]}-2}"; do
    case $word in -*) ;; *) command=$word; break ;; esac
  done
  case $prev in
    -t|--target) _xftrace_targets; return ;;
${
    files.length === 0
      ? ""
      : `    ${files.join("|")}) _xftrace_files "" "$cur"; return ;;\n`
  }${valued.length === 0 ? "" : `    ${valued.join("|")}) return ;;\n`}  esac
  case $command in
    "") words=${quoted(commands.map((command) => command.name).join(" "))} ;;
${cases}
  esac
${
    targeted.length === 0 ? "" : `  case $command in
    ${targeted.join("|")}) _xftrace_targets "$words"; return ;;
  esac
`
  }  _xftrace_words $words
}
complete -o default -F _xftrace xftrace
`;
}

/** In zsh's _arguments, brackets and colons of a description are escaped. */
function zshText(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, "\\$&");
}

function zsh(commands: readonly CompletedCommand[]): string {
  const list = commands.map((command) =>
    `    ${quoted(`${command.name}:${command.description}`)}`
  ).join("\n");
  const action = (option: CompletedOption) =>
    !option.takesValue
      ? ""
      : option.long === "--target"
      ? ":target:_xftrace_targets"
      : option.takesFile === true
      ? ":file:_files"
      : ":value:";
  const cases = commands.map((command) => {
    const specs = command.options.flatMap((option) =>
      names(option).map((name) =>
        quoted(`${name}[${zshText(option.description)}]${action(option)}`)
      )
    );
    return `    ${command.name}) _arguments ${
      [
        ...specs,
        quoted(
          command.takesTarget
            ? "*:target:_xftrace_targets_or_files"
            : command.words.length === 0
            ? "*:argument:_default"
            : `1:word:(${command.words.join(" ")})`,
        ),
      ].join(" ")
    } ;;`;
  }).join("\n");
  return `#compdef xftrace
# xftrace completion for zsh: put it into a folder of $fpath as _xftrace.
_xftrace_targets() {
  local -a targets
  if compset -P 'file:' || compset -P 'core:'; then _files; return; fi
  targets=(\${(f)"$(xftrace completions targets 2>/dev/null)"})
  # A name may be one that somebody else chose: only plain ones.
  targets=(\${targets:#*[^A-Za-z0-9_.:@-]*} file: core:)
  compadd -S '' -a targets
}
_xftrace_targets_or_files() { _xftrace_targets; _files; }
_xftrace() {
  local -a commands
  commands=(
${list}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  shift words; (( CURRENT-- ))
  case $words[1] in
${cases}
  esac
}
if [ "$funcstack[1]" = _xftrace ]; then _xftrace "$@"; else compdef _xftrace xftrace; fi
`;
}

const FISH_TARGETS = `function __xftrace_targets
  set -l word (commandline -ct | string replace -r '^--[^=]*=' '')
  switch "$word"
    case 'file:*' 'core:*'
      set -l kind (string split -m 1 : -- $word)
      __fish_complete_path $kind[2] | string replace -r '^' "$kind[1]:"
    case '*'
      # A name may be one that somebody else chose: only plain ones.
      xftrace completions targets 2>/dev/null | string match -r '^[A-Za-z0-9_.:@-]+$' | string replace -r '$' \\tguest
      printf '%s\\n' file:\\t'memory file' core:\\t'core or snapshot'
  end
end`;

function fish(commands: readonly CompletedCommand[]): string {
  const lines = [
    "# xftrace completion for fish: xftrace completions fish | source",
    FISH_TARGETS,
    "complete -c xftrace -f",
    ...commands.map((command) =>
      `complete -c xftrace -n __fish_use_subcommand -a ${command.name} -d ${
        quoted(command.description)
      }`
    ),
  ];
  for (const command of commands) {
    if (command.words.length > 0) {
      lines.push(
        `complete -c xftrace -n '__fish_seen_subcommand_from ${command.name}' ` +
          `-a ${quoted(command.words.join(" "))}`,
      );
    }
    if (command.takesTarget) {
      lines.push(
        `complete -c xftrace -n '__fish_seen_subcommand_from ${command.name}' ` +
          `-F -a '(__xftrace_targets)'`,
      );
    }
    for (const option of command.options) {
      const value = !option.takesValue
        ? ""
        : option.long === "--target"
        ? " -x -a '(__xftrace_targets)'"
        : option.takesFile === true
        ? " -r -F"
        : " -x";
      lines.push(
        `complete -c xftrace -n '__fish_seen_subcommand_from ${command.name}'` +
          (option.short === undefined ? "" : ` -s ${option.short.slice(1)}`) +
          ` -l ${option.long.slice(2)} -d ${
            quoted(option.description)
          }${value}`,
      );
    }
  }
  return lines.join("\n") + "\n";
}
