#include "gitops/signature.hpp"

#include "base/utf8.hpp"
#include "gitops/limits.hpp"
#include "gitops/workspace.hpp"
#include "net/process.hpp"
#include "runtime/base64.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace ocim::gitops {

namespace {

constexpr std::size_t words_max = 300;
constexpr std::string_view ssh_begin = "-----BEGIN SSH SIGNATURE-----";
constexpr std::string_view gpg_begin = "-----BEGIN PGP SIGNATURE-----";
constexpr std::string_view keys_begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
constexpr std::string_view keys_end = "-----END PGP PUBLIC KEY BLOCK-----";

Judgement refused(std::string why) { return {"", std::move(why)}; }

Judgement stranger(const Signers& signers, const std::string& key, const std::string& where) {
    return refused("it is signed with " + key + ", which " + where + " of the Secret " + signers.secret +
                   " does not allow; add that key there, or let somebody sign whose key is");
}

Judgement broken(const std::string& by) {
    return refused("its signature" + by + " is not of what it says: somebody changed it; find out who pushed it");
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        out.emplace_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

/// What both programs need as files.
struct Files {
    std::unique_ptr<Workspace> directory;
    std::string text, signature, keys;
};

Result<std::shared_ptr<Files>> write_files(const Signed& what, const std::string& keys, const std::string& workspace) {
    auto out = std::make_shared<Files>();  // shared: what a pool calls is copied
    auto directory = Workspace::make(workspace);
    if (!directory) return directory.error();
    out->directory = *std::move(directory);
    const std::array<std::pair<std::string*, const std::string*>, 3> files{
        {{&out->text, &what.text}, {&out->signature, &what.signature}, {&out->keys, &keys}}};
    constexpr std::array<const char*, 3> names{"text", "signature", "keys"};
    for (std::size_t i = 0; i < files.size(); ++i) {
        auto path = out->directory->write(names.at(i), *files.at(i).second);
        if (!path) return path.error();
        *files.at(i).first = *std::move(path);
    }
    return out;
}

/// A program that is missing or may not be run is mended where we run, not in the repository: the question stays open.
Error not_asked(Error error, const std::string& package) {
    if (error.error_class == ErrorClass::not_found)
        error.message += "; install the package " + package + " where ocim runs";
    else if (error.error_class == ErrorClass::invalid)
        error.message += "; mend that where ocim runs, as by installing the package " + package + " again";
    error.error_class = ErrorClass::transient;
    return error;
}

/// A refusal ends with less, or with 255; 126 and 127 are a shell's and a loader's that could not begin. Who runs
/// without an entry in passwd is told so with the number of a refusal of its own.
bool is_own_trouble(const net::CommandResult& ran) {
    return ran.exit_code < 0 || (ran.exit_code >= 126 && ran.exit_code != 255) ||
           ran.errors.starts_with("No user exists for uid");
}
Error cannot_judge(const std::string& program, const net::CommandResult& ran) {
    return {ErrorClass::transient, program + " cannot judge the signature: it ended with " +
                                       std::to_string(ran.exit_code) + " (" + one_line(ran.errors, words_max) +
                                       "); mend that where ocim runs"};
}

/// One way to judge a signature. On the loop; the programs run in groups of their own, with an end.
class Judge {
public:
    Judge(const Signers& signers, BlockingPool& blocking, const Files& files, const Judges& judges)
        : signers_(signers), blocking_(blocking), files_(files), judges_(judges) {}

    awaitable<Result<Judgement>> ssh(std::string text) {
        CO_TRY(const auto found, co_await run_ssh("find-principals", "", ""));
        const auto names = lines_of(found.output);
        if (found.exit_code != 0 || names.empty()) co_return unknown(found.errors);
        std::string said;
        for (std::size_t i = 0; i < std::min(names.size(), limits::principals_max); ++i) {
            CO_TRY(const auto verified, co_await run_ssh("verify", names[i], text));
            if (verified.exit_code == 0) co_return Judgement{one_line(names[i], words_max), ""};
            said = verified.errors;
        }
        // a key that is known and must not sign for Git is another thing than a text that was changed
        if (said.find("not permitted") != std::string::npos) co_return unknown(said);
        co_return broken(" by " + one_line(names[0], words_max));
    }

    awaitable<Result<Judgement>> gpg() {
        net::ProcessSettings process;
        process.command = {judges_.gpgv, "--homedir", files_.directory->path(), "--keyring", files_.keys, "--status-fd",
                           "1",          "--",        files_.signature,         files_.text};
        process.limit = limits::signature_check_max;
        auto ran = co_await net::run_process(blocking_, std::move(process));
        if (!ran) co_return not_asked(std::move(ran).error(), "gpgv");
        // it says something of every signature, also of one that it cannot read
        if (is_own_trouble(*ran) || ran->output.find("[GNUPG:] ") == std::string::npos)
            co_return cannot_judge("gpgv", *ran);
        auto out = read_gpgv(ran->output, signers_);
        // it counts only when both say so
        if (ran->exit_code != 0 && out.refusal.empty()) out = broken("");
        co_return out;
    }

private:
    awaitable<Result<net::CommandResult>> run_ssh(std::string task, std::string who, std::string input) {
        net::ProcessSettings process;
        process.command = {judges_.ssh_keygen, "-Y", task, "-f", files_.keys, "-s", files_.signature};
        if (!who.empty()) process.command.insert(process.command.end(), {"-n", "git", "-I", who});
        process.input = std::move(input);
        process.limit = limits::signature_check_max;
        auto ran = co_await net::run_process(blocking_, std::move(process));
        if (!ran) co_return not_asked(std::move(ran).error(), "openssh-client");
        if (is_own_trouble(*ran)) co_return cannot_judge("ssh-keygen", *ran);
        co_return *std::move(ran);
    }

    Judgement unknown(std::string said) const {
        for (const auto& path : {files_.keys, files_.signature})
            for (auto at = said.find(path); at != std::string::npos; at = said.find(path))
                said.replace(at, path.size(), "allowed_signers");
        return stranger(signers_, "an SSH key (ssh-keygen says: " + one_line(said, words_max) + ")", "allowed_signers");
    }

    const Signers& signers_;
    BlockingPool& blocking_;
    const Files& files_;
    const Judges& judges_;
};

}  // namespace

awaitable<Result<Judgement>> judge_signature(Signed what, Signers signers, BlockingPool& blocking,
                                             std::string workspace, Judges judges) {
    if (what.signature.empty())
        co_return refused(
            "it has no signature, and spec.verify asks for one; sign it, as with git commit -S, and push");
    const bool by_ssh = what.signature.starts_with(ssh_begin);
    if (!by_ssh && !what.signature.starts_with(gpg_begin))
        co_return refused("its signature is neither of SSH nor of OpenPGP; sign it with such a key");
    if (what.signature.size() > limits::signature_bytes_max || what.text.size() > limits::signed_bytes_max)
        co_return refused("its signature or its message is larger than any that a person makes; make a smaller one");
    const auto& keys = by_ssh ? signers.allowed_signers : signers.keyring;
    if (keys.empty())
        co_return stranger(signers, by_ssh ? "an SSH key" : "an OpenPGP key", by_ssh ? "allowed_signers" : "gpg.asc");
    auto writing = [what, keys, workspace] { return write_files(what, keys, workspace); };
    CO_TRY(const auto files, co_await blocking.call(std::move(writing)));
    Judge judge(signers, blocking, *files, judges);
    if (by_ssh) co_return co_await judge.ssh(std::move(what.text));
    co_return co_await judge.gpg();
}

Judgement read_gpgv(std::string_view status, const Signers& signers) {
    constexpr std::string_view prefix = "[GNUPG:] ";
    std::string good, who, trouble;
    std::size_t verdicts = 0;
    bool valid = false;
    for (const auto& line : lines_of(status)) {
        if (!line.starts_with(prefix)) continue;
        const auto said = line.substr(prefix.size());
        const auto word = said.substr(0, said.find(' '));
        const auto rest = said.size() > word.size() ? said.substr(word.size() + 1) : "";
        constexpr std::array<std::string_view, 6> all{"GOODSIG",   "EXPSIG", "EXPKEYSIG",
                                                      "REVKEYSIG", "BADSIG", "ERRSIG"};
        if (word == "VALIDSIG") valid = true;
        if (std::ranges::find(all, word) == all.end()) continue;
        ++verdicts;
        trouble = word == "GOODSIG" ? trouble : word;
        const auto space = rest.find(' ');
        who = one_line(rest.substr(0, space), words_max);
        if (word != "ERRSIG" && space != std::string::npos) good = one_line(rest.substr(space + 1), words_max);
    }
    const auto name = (good.empty() ? "" : good + ", ") + "OpenPGP key " + who;
    if (verdicts == 1 && trouble.empty() && valid) return {name, ""};
    if (verdicts > 1) return refused("it has more than one signature; sign it once");
    if (trouble == "ERRSIG") return stranger(signers, "the OpenPGP key " + who, "gpg.asc");
    if (trouble == "EXPKEYSIG" || trouble == "EXPSIG")
        return refused("it is signed with the key or signature of " + name +
                       ", which has expired; prolong the key, put it into gpg.asc of the Secret " + signers.secret +
                       " again, and sign anew");
    if (trouble == "REVKEYSIG")
        return refused("it is signed by " + name + ", which is revoked; find out who pushed it");
    return broken(name.empty() || who.empty() ? "" : " by " + name);
}

std::optional<std::string> keyring_of(std::string_view keys) {
    if (keys.find(keys_begin) == std::string_view::npos) return std::string(keys);
    std::string out, body;
    enum class At { outside, headers, data } at = At::outside;
    for (const auto& line : lines_of(keys)) {
        if (line == keys_begin) {
            if (at != At::outside) return std::nullopt;
            at = At::headers;
        } else if (at == At::headers) {
            if (line.empty()) at = At::data;
        } else if (at == At::data && line == keys_end) {
            const auto bytes = runtime::from_base64(body);
            if (!bytes || bytes->empty()) return std::nullopt;
            out += *bytes;
            body.clear();
            at = At::outside;
        } else if (at == At::data && !line.starts_with('=')) {  // that is its checksum
            body += line;
        }
    }
    if (at != At::outside) return std::nullopt;
    return out;
}

}  // namespace ocim::gitops
