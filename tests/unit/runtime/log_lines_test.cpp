#include "driver_test.hpp"

#include <algorithm>
#include <set>
#include <sstream>

/// What is said of objects on the standard error.
namespace ocim::test {
namespace {

class LogLinesTest : public DriverTest {
protected:
    /// The lines said meanwhile that tell of an object.
    std::vector<std::string> said_in(Duration time) {
        testing::internal::CaptureStderr();
        wait(time);
        std::istringstream all(testing::internal::GetCapturedStderr());
        std::vector<std::string> out;
        for (std::string line; std::getline(all, line);)
            if (line.find(" object=") != std::string::npos) out.push_back(std::move(line));
        return out;
    }
    static std::string fact(const std::string& line, const std::string& key) {
        const auto at = line.find(" " + key + "=");
        if (at == std::string::npos) return "none";
        const auto begin = at + key.size() + 2;
        return line.substr(begin, line.find(' ', begin) - begin);
    }
    static std::string only_id(const std::vector<std::string>& lines, const std::string& object) {
        std::set<std::string> out;
        for (const auto& line : lines)
            if (fact(line, "object") == object) out.insert(fact(line, "reconcile_id"));
        EXPECT_EQ(out.size(), 1U) << object;
        return out.empty() ? "none" : *out.begin();
    }
};

TEST_F(LogLinesTest, EachNamesTheVisitThatItComesFrom) {
    shelf();
    start();
    wait(5s);
    book("dune");
    book("emma");
    const auto made = said_in(5s);
    const auto dune = only_id(made, "ns/dune"), emma = only_id(made, "ns/emma");
    EXPECT_TRUE(dune.starts_with("book-")) << dune;
    EXPECT_NE(dune, emma) << "each object is visited for itself";

    patch("dune", "{'spec':{'text':'twice'}}");
    const auto changed = only_id(said_in(5s), "ns/dune");
    EXPECT_TRUE(changed.starts_with("book-")) << changed;
    EXPECT_NE(changed, dune) << "another visit";

    int refused = 0;
    server_.refuse = [&](const std::string&, const api::Json& body) -> std::optional<Error> {
        const bool hit = refused < 2 && api::find(body, {"metadata", "finalizers"});
        if (!hit) return std::nullopt;
        ++refused;
        return Error{ErrorClass::transient, "not now"};
    };
    book("solaris");
    const auto failed = said_in(1min);
    std::vector<std::string> ids;
    for (const auto& line : failed) {
        EXPECT_EQ(fact(line, "kind"), "Book") << line;
        EXPECT_NE(fact(line, "reconcile_id"), "none") << line;
        ids.push_back(fact(line, "reconcile_id"));
    }
    EXPECT_EQ(ids.size(), 3U) << "two visits that failed, and what the third has done";
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 3U);
    EXPECT_NE(failed.front().find("visit failed"), std::string::npos) << failed.front();
    EXPECT_NE(failed.back().find("acted"), std::string::npos) << failed.back();

    oak().down = true;
    patch("dune", "{'metadata':{'annotations':{'ocim.opencraft.com/abandon':'true'}}}");
    server_.remove("Book", "ns", "dune");
    EXPECT_NE(only_id(said_in(5s), "ns/dune"), "none");
}

}  // namespace
}  // namespace ocim::test
