#include "cli/manifests.hpp"

#include "api/yaml.hpp"
#include "cli/files.hpp"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>

namespace ocim::cli {

namespace {

namespace fs = std::filesystem;

bool is_manifest(const fs::path& path) {
    const auto ending = path.extension();
    return ending == ".yaml" || ending == ".yml" || ending == ".json";
}

template <class Directory>
std::vector<std::string> files_of(const std::string& path) {
    std::vector<std::string> out;
    std::error_code error;
    for (auto it = Directory(path, error); !error && it != Directory(); it.increment(error))
        if (it->is_regular_file(error) && is_manifest(it->path())) out.push_back(it->path().string());
    std::ranges::sort(out);
    return out;
}

Result<std::vector<std::string>> files_at(const std::string& path, bool recursive) {
    std::error_code error;
    if (path == "-") return std::vector<std::string>{path};
    if (!fs::exists(path, error)) return Error{ErrorClass::invalid, "the path \"" + path + "\" does not exist"};
    if (!fs::is_directory(path, error)) return std::vector<std::string>{path};
    auto out = recursive ? files_of<fs::recursive_directory_iterator>(path) : files_of<fs::directory_iterator>(path);
    if (out.empty()) return Error{ErrorClass::invalid, path + ": no *.yaml, *.yml or *.json is in it"};
    return out;
}

Result<std::string> text_of(const std::string& file) {
    if (file != "-") return read_file(file);
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

void add(std::vector<api::Json>& out, api::Json document) {
    const auto* items = api::find(document, {"items"});
    if (!api::find_text(document, {"kind"}).ends_with("List") || !items || !items->is_array()) {
        out.push_back(std::move(document));
        return;
    }
    for (const auto& item : items->get_array()) out.push_back(item);
}

}  // namespace

Result<std::vector<api::Json>> read_manifests(const std::vector<std::string>& paths, bool recursive) {
    std::vector<api::Json> out;
    for (const auto& path : paths) {
        const auto files = files_at(path, recursive);
        if (!files) return files.error();
        for (const auto& file : *files) {
            const auto text = text_of(file);
            if (!text) return text.error();
            auto documents = api::parse_yaml_stream(*text);
            if (!documents) return std::move(documents).error().within(file);
            for (auto& document : *documents) add(out, std::move(document.value));
        }
    }
    if (out.empty()) return Error{ErrorClass::invalid, "no objects are in what was given by -f"};
    return out;
}

}  // namespace ocim::cli
