#include "cli/completion.hpp"

#include "api/yaml.hpp"
#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/files.hpp"
#include "cli/kubeconfig.hpp"
#include "cli/targets.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <set>

namespace ocim::cli {

namespace {

using Words = std::vector<std::string>;

constexpr std::string_view shells[] = {"bash", "zsh"};
constexpr Flag flags[] = {help_flag};
constexpr Example examples[] = {
    {"bash, from now on", "echo 'source <(ocim completion bash)' >> ~/.bashrc"},
    {"zsh, from now on", "ocim completion zsh > \"${fpath[1]}/_ocim\""},
};

constexpr auto for_bash = R"bash(# bash completion of ocim
_ocim() {
    local current="${COMP_WORDS[COMP_CWORD]}" before="" found word
    COMPREPLY=()
    # bash takes --flag=value apart at the =, unless somebody has told it otherwise
    case "$current" in
        =) current="" ;;
        --*=*) before="${current%%=*}=" current="${current#*=}" ;;
    esac
    mapfile -t found < <(ocim complete-words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [ "${found[0]}" = ":files" ]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -P "$before" -f -- "$current")
    else
        # others give objects their names: none may mean anything to the shell
        for word in "${found[@]}"; do COMPREPLY+=("$(printf %q "$word")"); done
        # what stands before a slash goes on
        [ "${#COMPREPLY[@]}" = 1 ] && [ "${COMPREPLY[0]: -1}" = "/" ] && compopt -o nospace
    fi
}
complete -F _ocim ocim
)bash";

constexpr auto for_zsh = R"(#compdef ocim
_ocim() {
    local -a found
    found=("${(@f)$(ocim complete-words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [ "$found[1]" = ":files" ]; then
        compset -P '--*='
        _files
    elif [ -n "$found[1]" ]; then
        compadd -- $found
    fi
}
[ "$funcstack[1]" = _ocim ] && _ocim || compdef _ocim ocim
)";

/// Words of the line, sorted into what they are.
struct Line {
    const Command* command = nullptr;
    Words operands;
    std::map<std::string_view, std::string> given;
    const Flag* wants_value = nullptr;  ///< the word being typed is its value
    std::string typed;
    std::string before;  ///< stands in the same word, before what is typed: "--output="
};

const Flag* flag_of(const Command& command, std::string_view word) {
    for (const auto& flag : command.flags) {
        if (word.size() > 2 && word.starts_with("--") && word.substr(2) == flag.name) return &flag;
        if (flag.letter && word.size() == 2 && word[0] == '-' && word[1] == flag.letter) return &flag;
    }
    return nullptr;
}

/// The flag of "--name=value" that takes one.
const Flag* flag_with_value(const Command& command, const std::string& word) {
    const auto equals = word.find('=');
    const auto* flag = equals == word.npos ? nullptr : flag_of(command, std::string_view(word).substr(0, equals));
    return flag && word.starts_with("--") && !flag->value.empty() ? flag : nullptr;
}

/// As they were typed: bash takes words apart at each "=".
Words joined(std::span<const std::string> words) {
    Words out;
    bool goes_on = false;
    for (const auto& word : words) {
        if (!out.empty() && (goes_on || word == "="))
            out.back() += word;
        else
            out.push_back(word);
        goes_on = word == "=";
    }
    return out;
}

Line read_line(const Command& command, std::span<const std::string> parts) {
    const auto words = joined(parts);
    Line out{.command = &command, .operands = {}, .given = {}, .typed = words.back(), .before = {}};
    for (const auto& word : std::span(words).first(words.size() - 1)) {
        if (out.wants_value) {
            out.given[out.wants_value->name] = word;
            out.wants_value = nullptr;
        } else if (const auto* with = flag_with_value(command, word)) {
            out.given[with->name] = word.substr(word.find('=') + 1);
        } else if (const auto* flag = flag_of(command, word); flag && !flag->value.empty()) {
            out.wants_value = flag;
        } else if (!word.starts_with("-")) {
            out.operands.push_back(word);
        }
    }
    const auto* typed = out.wants_value ? nullptr : flag_with_value(command, out.typed);
    if (!typed) return out;
    out.wants_value = typed;
    // where bash has taken it apart only what is behind the "=" is replaced
    if (parts.back() == out.typed) out.before = out.typed.substr(0, out.typed.find('=') + 1);
    out.typed.erase(0, out.typed.find('=') + 1);
    return out;
}

Result<std::unique_ptr<Connection>> connect(const Line& line) {
    Words words;
    for (const auto* flag : {"kubeconfig", "context"})
        if (const auto found = line.given.find(flag); found != line.given.end())
            words.push_back("--" + std::string(flag) + "=" + found->second);
    static constexpr Flag of_access[] = {kubeconfig_flag, context_flag};
    const auto arguments = Arguments::parse("", words, of_access);
    return arguments ? Connection::open(*arguments) : arguments.error();
}

Words names_of(Connection& server, const ServedKind& kind, const std::string& namespace_, const std::string& before) {
    Words out;
    const auto found = list(server, kind, kind.namespaced ? namespace_ : "");
    if (!found) return out;
    for (const auto& object : *found) out.push_back(before + std::string(api::find_text(object, {"metadata", "name"})));
    return out;
}

Words kinds_and_names(const Line& line) {
    const auto server = connect(line);
    if (!server) return {};
    ServedKinds kinds(**server);
    const auto given = line.given.find("namespace");
    const auto space = given == line.given.end() ? (*server)->access().namespace_ : given->second;
    const auto slash = line.typed.find('/');
    const bool first = line.operands.empty();
    const auto kind = slash != std::string::npos ? line.typed.substr(0, slash) : first ? "" : line.operands.front();
    if (!kind.empty() && kind.find('/') == std::string::npos) {
        const auto found = kinds.find(kind);
        if (!found) return {};
        return names_of(**server, *found->front(), space, slash == std::string::npos ? "" : kind + "/");
    }
    Words out;
    for (const auto* group : {"ocim.opencraft.com", ""})
        if (const auto all = kinds.of_group(group))
            for (const auto* one : *all)
                if (std::ranges::find(one->verbs, "list") != one->verbs.end()) out.push_back(one->plural);
    return out;
}

Words contexts(const Line& line) {
    const auto given = line.given.find("kubeconfig");
    const auto text = read_file(kubeconfig_path(given == line.given.end() ? "" : given->second));
    const auto parsed = text ? api::parse_yaml(*text) : Result<api::Parsed>(text.error());
    Words out;
    if (!parsed) return out;
    if (const auto* all = api::find(parsed->value, {"contexts"}); all && all->is_array())
        for (const auto& one : all->get_array()) out.emplace_back(api::find_text(one, {"name"}));
    return out;
}

Words values(const Line& line) {
    const auto& flag = *line.wants_value;
    if (flag.value == "FILE" || flag.value == "DIR") return {":files"};
    if (flag.name == "output") {
        if (flag.value == "name") return {"name"};
        Words out;
        for (const auto* format : {"json", "name", "wide", "yaml"})
            if (flag.help.find(format) != flag.help.npos) out.emplace_back(format);
        return out;
    }
    if (flag.name == "context") return contexts(line);
    if (flag.name == "for") return {"condition=Ready", "create", "delete"};
    if (flag.name == "dry-run") return {"server"};
    if (flag.name == "cascade") return {"background", "foreground", "orphan"};
    if (flag.name != "namespace") return {};
    const auto server = connect(line);
    if (!server) return {};
    ServedKinds kinds(**server);
    const auto found = kinds.find("namespaces");
    return found ? names_of(**server, *found->front(), "", "") : Words();
}

Words names_of_commands() {
    Words out;
    for (const auto* command : commands()) out.emplace_back(command->name);
    return out;
}

Words candidates(const Line& line) {
    Words out;
    if (line.wants_value) return values(line);
    if (line.typed.starts_with("-")) {
        for (const auto& flag : line.command->flags) out.push_back("--" + std::string(flag.name));
        return out;
    }
    switch (line.command->completes) {
        case Completes::nothing: break;
        case Completes::words: return {line.command->words.begin(), line.command->words.end()};
        case Completes::kinds:
        case Completes::objects: return kinds_and_names(line);
    }
    return out;
}

void offer(const Words& found, const std::string& typed, const std::string& before = "") {
    std::set<std::string> shown;
    for (const auto& one : found) {
        if (one == ":files")
            shown.insert(one);
        else if (one.starts_with(typed))
            shown.insert(before + one);
    }
    for (const auto& one : shown) std::cout << one << "\n";
    std::cout << std::flush;
}

int completion(const Arguments& arguments) {
    const auto& words = arguments.operands();
    if (words.size() == 1 && (words.front() == "bash" || words.front() == "zsh")) {
        std::cout << (words.front() == "bash" ? for_bash : for_zsh) << std::flush;
        return exit_ok;
    }
    complain("say for which shell: ocim completion bash, or zsh. See \"ocim completion --help\".");
    return exit_usage;
}

}  // namespace

int complete(std::span<const std::string> words) {
    const auto typed = words.empty() ? std::string() : words.back();
    if (words.size() <= 1 || words.front() == "help") {
        auto found = names_of_commands();
        if (words.size() <= 1) found.emplace_back("help");
        offer(found, typed);
    } else if (const auto* command = find_command(words.front())) {
        const auto line = read_line(*command, words.subspan(1));
        offer(candidates(line), line.typed, line.before);
    }
    return exit_ok;
}

constinit const Command completion_command{
    .name = "completion",
    .summary = "Print what makes a shell complete commands, flags, kinds and names.",
    .synopsis = "bash|zsh",
    .description = "Kinds, names and namespaces are those of the server, at the moment of asking.",
    .flags = flags,
    .examples = examples,
    .run = completion,
    .operands = Operands::taken,
    .completes = Completes::words,
    .words = shells,
};

}  // namespace ocim::cli
