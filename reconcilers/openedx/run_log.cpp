#include "openedx/run_log.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

namespace ocim::openedx {
namespace {

namespace fs = std::filesystem;

// The log of a long playbook has a few MiB; one that prints without end keeps its last part.
constexpr std::int64_t piece_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t pieces_max = 4;
constexpr std::uintmax_t times_bytes_max = 512 * 1024;  // some 20,000 seconds in which something came

std::string note_path(const std::string& folder) { return folder + "/position"; }
std::string times_path(const std::string& folder) { return folder + "/times"; }

std::int64_t second_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

struct Timed {
    std::int64_t begin = 0, second = 0;
};
/// Which part came when, as it was noted.
std::vector<Timed> times_in(const std::string& folder) {
    std::vector<Timed> out;
    std::ifstream in(times_path(folder));
    for (Timed one; in >> one.begin >> one.second;) out.push_back(one);
    return out;
}

/// The pieces by where they begin.
std::map<std::int64_t, fs::path> pieces_in(const std::string& folder) {
    std::map<std::int64_t, fs::path> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().extension() != ".log") continue;
        const auto name = entry.path().stem().string();
        std::int64_t begin = 0;
        const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), begin);
        if (wrong == std::errc() && end == name.data() + name.size()) out.emplace(begin, entry.path());
    }
    return out;
}

fs::path piece_path(const std::string& folder, std::int64_t begin) {
    char name[32];
    std::snprintf(name, sizeof name, "%016lld.log", static_cast<long long>(begin));
    return fs::path(folder) / name;
}

std::string bytes_of(const fs::path& path, std::int64_t from, std::size_t count) {
    std::ifstream in(path, std::ios::binary);
    std::string out(count, '\0');
    in.seekg(from);
    in.read(out.data(), static_cast<std::streamsize>(count));
    out.resize(static_cast<std::size_t>(in.gcount()));
    return out;
}

/// Cuts off what lies beyond `end`; the piece to go on with.
std::int64_t cut(const std::string& folder, std::int64_t end) {
    std::error_code ignored;
    std::int64_t last = end;
    for (const auto& [begin, path] : pieces_in(folder)) {
        if (begin >= end)
            fs::remove(path, ignored);
        else
            last = begin;
    }
    return last;
}

bool is_one_name(const std::string& text) {
    return !text.empty() && !text.starts_with('.') && text.find_first_of("/\\") == std::string::npos &&
           text.find('\0') == std::string::npos;
}

}  // namespace

RunLog::Position RunLog::position() const {
    Position out;
    std::ifstream note(note_path(folder_));
    note >> out.fetched >> out.end;
    if (!note) return {};
    note >> out.timed;  // not in notes of earlier versions
    return out;
}

Result<void> RunLog::append(std::int64_t fetched, std::int64_t raw_bytes, std::string_view text, WallTime now) const {
    const Error unwritten{ErrorClass::transient, "cannot write the log in " + folder_};
    if (folder_.empty()) return unwritten;
    const auto before = position();
    if (before.fetched != fetched) return {};
    std::error_code error;
    fs::create_directories(folder_, error);
    auto begin = cut(folder_, before.end);
    const auto held = before.end - begin;
    if (held > 0 && held + static_cast<std::int64_t>(text.size()) > piece_bytes_max) begin = before.end;
    const int file = ::open(piece_path(folder_, begin).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return unwritten;
    const bool written = ::ftruncate(file, before.end - begin) == 0 && ::lseek(file, 0, SEEK_END) >= 0 &&
                         ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(file);
    if (!written) return unwritten;
    const auto second = second_of(now);
    if (second != before.timed) note_time(before.end, second);
    const auto note = note_path(folder_);
    std::ofstream(note + ".tmp") << fetched + raw_bytes << " " << before.end + static_cast<std::int64_t>(text.size())
                                 << " " << second << "\n";
    fs::rename(note + ".tmp", note, error);
    if (error) return unwritten;
    auto pieces = pieces_in(folder_);
    for (; pieces.size() > pieces_max; pieces.erase(pieces.begin())) fs::remove(pieces.begin()->second, error);
    return {};
}

/// For people only: what cannot be noted is not missed.
void RunLog::note_time(std::int64_t begin, std::int64_t second) const {
    const auto path = times_path(folder_);
    std::error_code error;
    if (const auto size = fs::file_size(path, error); !error && size > times_bytes_max) {
        const auto times = times_in(folder_);
        std::ofstream shorter(path + ".tmp");
        for (std::size_t i = times.size() / 2; i < times.size(); ++i)
            shorter << times[i].begin << " " << times[i].second << "\n";
        shorter.close();
        fs::rename(path + ".tmp", path, error);
    }
    std::ofstream(path, std::ios::app) << begin << " " << second << "\n";
}

std::int64_t RunLog::begin_since(WallTime time) const {
    const auto end = position().end;
    const auto times = times_in(folder_);
    const auto second = second_of(time);
    for (const auto& one : times)
        if (one.second >= second) return std::min(one.begin, end);
    return times.empty() ? 0 : end;
}

RunLog::Piece RunLog::read(std::int64_t offset, std::size_t bytes_max) const {
    const auto end = position().end;
    const auto pieces = pieces_in(folder_);
    if (pieces.empty() || offset >= end) return {"", offset};
    auto after = pieces.upper_bound(offset);
    const auto at = after == pieces.begin() ? after : std::prev(after);
    offset = std::max(offset, at->first);
    after = std::next(at);
    const auto stop = std::min(end, after == pieces.end() ? end : after->first);
    const auto count = std::min<std::int64_t>(stop - offset, static_cast<std::int64_t>(bytes_max));
    auto text = bytes_of(at->second, offset - at->first, static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
    const auto next = offset + static_cast<std::int64_t>(text.size());
    return {std::move(text), next};
}

std::int64_t RunLog::begin_of_last_lines(std::int64_t count) const {
    const auto end = position().end;
    if (count <= 0) return end;
    const auto pieces = pieces_in(folder_);
    std::int64_t lines = 0;
    for (auto it = pieces.rbegin(); it != pieces.rend(); ++it) {
        const auto text = bytes_of(it->second, 0, static_cast<std::size_t>(std::max<std::int64_t>(end - it->first, 0)));
        for (std::size_t i = text.size(); i-- > 0;) {
            const auto position = it->first + static_cast<std::int64_t>(i);
            // the end of the last line begins nothing
            if (text[i] == '\n' && position + 1 < end && ++lines == count) return position + 1;
        }
    }
    return pieces.empty() ? end : pieces.begin()->first;
}

void RunLog::remove() const {
    std::error_code ignored;
    if (folder_.empty()) return;
    fs::remove_all(folder_, ignored);
    // the folders of its run and of its namespace, if these were the last
    auto parent = fs::path(folder_).parent_path();
    if (fs::remove(parent, ignored)) fs::remove(parent.parent_path(), ignored);
}

std::string log_folder(const std::string& data_directory, const std::string& namespace_name, const std::string& uid) {
    const auto slash = namespace_name.find('/');
    if (slash == std::string::npos) return "";
    const auto namespace_ = namespace_name.substr(0, slash), name = namespace_name.substr(slash + 1);
    if (!is_one_name(namespace_) || !is_one_name(name) || !is_one_name(uid)) return "";
    return (fs::path(data_directory) / "logs" / namespace_ / name / uid).string();
}

namespace {

std::map<std::string, std::string> folders_by_uid(const std::string& data_directory) {
    std::map<std::string, std::string> out;
    std::error_code error;
    const auto below = [&](const fs::path& path) {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(path, error))
            if (entry.is_directory()) found.push_back(entry.path());
        return found;
    };
    for (const auto& namespace_ : below(fs::path(data_directory) / "logs"))
        for (const auto& run : below(namespace_))
            for (const auto& uid : below(run)) out.emplace(uid.filename(), uid);
    return out;
}

}  // namespace

std::set<std::string> logged_runs(const std::string& data_directory) {
    std::set<std::string> out;
    for (const auto& [uid, folder] : folders_by_uid(data_directory)) out.insert(uid);
    return out;
}

void remove_log(const std::string& data_directory, const std::string& uid) {
    const auto folders = folders_by_uid(data_directory);
    if (const auto found = folders.find(uid); found != folders.end()) RunLog(found->second).remove();
}

}  // namespace ocim::openedx
