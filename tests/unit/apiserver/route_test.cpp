#include "apiserver/route.hpp"

#include <gtest/gtest.h>

using namespace ocim::apiserver;

namespace {

/// Everything a route says, in one line.
std::string said(const std::string& method, const std::string& target) {
    const auto mark = std::min(target.find('?'), target.size());
    const auto query = Query::parse(std::string_view(target).substr(std::min(mark + 1, target.size())));
    const auto route = parse_route(method, std::string_view(target).substr(0, mark), query);
    if (!route) return std::to_string(route.error().code);
    if (!route->is_resource()) return route->verb + " path " + route->path();
    return route->verb + " " + route->group + "/" + route->version + " ns=" + route->namespace_ + " " + route->plural +
           "/" + route->name + (route->subresource.empty() ? "" : "/" + route->subresource);
}

TEST(Route, ReadsWhatAUrlAsksFor) {
    const struct {
        const char *reason, *method, *target, *expected;
    } cases[] = {
        {"core, cluster scope", "GET", "/api/v1/namespaces", "list /v1 ns= namespaces/"},
        {"a namespace itself", "GET", "/api/v1/namespaces/a", "get /v1 ns= namespaces/a"},
        {"its sub-resources are its own", "PUT", "/api/v1/namespaces/a/status", "update /v1 ns= namespaces/a/status"},
        {"finalize too", "PUT", "/api/v1/namespaces/a/finalize", "update /v1 ns= namespaces/a/finalize"},
        {"in a namespace", "GET", "/api/v1/namespaces/a/secrets/s", "get /v1 ns=a secrets/s"},
        {"a group", "POST", "/apis/g.io/v1/namespaces/a/dnsrecords", "create g.io/v1 ns=a dnsrecords/"},
        {"sub-resource", "PATCH", "/apis/g.io/v1/namespaces/a/w/x/status", "patch g.io/v1 ns=a w/x/status"},
        {"cluster scope with a name", "DELETE", "/apis/g.io/v1/clouds/x", "delete g.io/v1 ns= clouds/x"},
        {"all of them", "DELETE", "/apis/g.io/v1/clouds", "deletecollection g.io/v1 ns= clouds/"},
        {"watch by parameter", "GET", "/apis/g.io/v1/clouds?watch=1", "watch g.io/v1 ns= clouds/"},
        {"watch=false is a list", "GET", "/apis/g.io/v1/clouds?watch=false", "list g.io/v1 ns= clouds/"},
        {"slash at the end", "GET", "/apis/g.io/v1/clouds/", "list g.io/v1 ns= clouds/"},
        {"escapes", "GET", "/apis/g.io/v1/clouds/a%2Db", "get g.io/v1 ns= clouds/a-b"},
        {"an escape that is none", "GET", "/apis/g.io/v1/clouds/a%2", "400"},
        {"NUL", "GET", "/apis/g.io/v1/clouds/a%00b", "400"},
        {"a slash in a name", "GET", "/api/v1/namespaces/a%2Fsecrets/secrets/b", "400"},
        {"HEAD reads", "HEAD", "/api/v1/namespaces/a", "get /v1 ns= namespaces/a"},
        {"a method that nothing knows", "BREW", "/api/v1/namespaces/a", "405"},
        {"discovery of the core group", "GET", "/api", "get path /api"},
        {"discovery of a group version", "GET", "/apis/g.io/v1/", "get path /apis/g.io/v1"},
        {"an empty part in the middle is no resource", "GET", "/apis/g.io//v1/x", "get path /apis/g.io//v1/x"},
        {"the root", "GET", "/", "get path /"},
    };
    for (const auto& c : cases) EXPECT_EQ(said(c.method, c.target), c.expected) << c.reason;
}

TEST(Query, ReadsParameters) {
    const auto query = Query::parse("a=1&b=x%20y+z&a=2&c&=d&bad=%zz&&w=False&t=true");
    EXPECT_EQ(query.get("a"), "1") << "the first counts";
    EXPECT_EQ(query.all("a"), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(query.get("b"), "x y z") << "plus and %20 are spaces";
    EXPECT_TRUE(query.has("c"));
    EXPECT_TRUE(query.flag("c")) << "a name alone is yes";
    EXPECT_FALSE(query.has("bad")) << "what cannot be decoded is left out";
    EXPECT_FALSE(query.flag("w"));
    EXPECT_TRUE(query.flag("t"));
    EXPECT_FALSE(query.flag("absent"));
}

}  // namespace
