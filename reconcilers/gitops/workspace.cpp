#include "gitops/workspace.hpp"

#include <stdlib.h>
#include <filesystem>
#include <fstream>

namespace ocim::gitops {

Result<std::unique_ptr<Workspace>> Workspace::make(const std::string& parent) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    auto pattern = parent + "/work-XXXXXX";
    if (error || !::mkdtemp(pattern.data()))
        return Error{ErrorClass::transient, "no directory can be made in " + parent + "; look at the disk"};
    return std::make_unique<Workspace>(std::move(pattern));
}

Workspace::~Workspace() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

Result<std::string> Workspace::write(const std::string& name, const std::string& bytes) const {
    auto path = path_ + "/" + name;
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) return Error{ErrorClass::transient, "no file can be written in " + path_ + "; look at the disk"};
    return path;
}

}  // namespace ocim::gitops
