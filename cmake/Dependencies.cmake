# Every outside library, found once. All of them are Debian 12 packages; README says what each is for.
find_package(Boost 1.81 REQUIRED COMPONENTS json system)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(Protobuf REQUIRED)
find_package(libssh REQUIRED)
find_package(CURL REQUIRED)  # its headers: the library is loaded when mail is first sent
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_package(PkgConfig REQUIRED)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
find_package(PostgreSQL REQUIRED)
pkg_check_modules(libmariadb REQUIRED IMPORTED_TARGET libmariadb)
pkg_check_modules(libbson REQUIRED IMPORTED_TARGET libbson-1.0)
pkg_check_modules(libmongoc REQUIRED libmongoc-1.0)  # its headers: the library is loaded when a MongoDB is first spoken to
pkg_check_modules(ldns REQUIRED IMPORTED_TARGET ldns)
pkg_check_modules(libidn2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(libgit2 REQUIRED IMPORTED_TARGET libgit2)

# cpprestsdk's client as a private static library with hidden symbols, built against the Boost that
# the program itself uses: Debian's own shared copy is built against another Boost and the two
# cannot live in one process.
if(NOT EXISTS "${OCIM_CPPREST_SOURCE}/include/cpprest/http_client.h")
  message(FATAL_ERROR "cpprestsdk's source is not in ${OCIM_CPPREST_SOURCE}. Run script/bootstrap first.")
endif()
set(S "${OCIM_CPPREST_SOURCE}/src")

# Two bounds that the library lacks: a chunk is read into memory as a whole, however large its header says it
# is, and a reply's head has no end. Both are set a little above limits::reply_bytes_max.
set(client_asio "${CMAKE_BINARY_DIR}/cpprest/http_client_asio.cpp")
file(READ "${S}/http/client/http_client_asio.cpp" text)
string(REPLACE "if (octetLine.fail())" "if (octetLine.fail() || octets < 0 || octets > (65 << 20))" bounded "${text}")
string(REPLACE "boost::asio::streambuf m_body_buf;" "boost::asio::streambuf m_body_buf{66 << 20};" bounded "${bounded}")
if(NOT bounded MATCHES "65 << 20" OR NOT bounded MATCHES "66 << 20")
  message(FATAL_ERROR "cpprestsdk's source is not the one whose bounds are set here.")
endif()
file(CONFIGURE OUTPUT "${client_asio}" CONTENT "${bounded}" @ONLY)
add_library(cpprest_client STATIC
  ${S}/http/client/http_client.cpp ${S}/http/client/http_client_msg.cpp
  ${client_asio} ${S}/http/client/x509_cert_utilities.cpp
  ${S}/http/common/http_compression.cpp ${S}/http/common/http_helpers.cpp ${S}/http/common/http_msg.cpp
  ${S}/http/oauth/oauth1.cpp ${S}/http/oauth/oauth2.cpp
  ${S}/json/json.cpp ${S}/json/json_parsing.cpp ${S}/json/json_serialization.cpp
  ${S}/uri/uri.cpp ${S}/uri/uri_builder.cpp
  ${S}/utilities/asyncrt_utils.cpp ${S}/utilities/base64.cpp ${S}/utilities/web_utilities.cpp
  ${S}/pplx/pplx.cpp ${S}/pplx/pplxlinux.cpp ${S}/pplx/threadpool.cpp)
target_include_directories(cpprest_client SYSTEM PUBLIC ${OCIM_CPPREST_SOURCE}/include)
target_include_directories(cpprest_client PRIVATE ${S}/pch ${S}/http/client)
target_compile_definitions(cpprest_client
  PUBLIC CPPREST_FORCE_HTTP_CLIENT_ASIO CPPREST_EXCLUDE_WEBSOCKETS=1
  PRIVATE CPPREST_EXCLUDE_BROTLI=1)
target_compile_options(cpprest_client PRIVATE -w -fno-strict-aliasing -g0)
set_target_properties(cpprest_client PROPERTIES
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
target_precompile_headers(cpprest_client PRIVATE ${S}/pch/stdafx.h)
target_link_libraries(cpprest_client PUBLIC
  Boost::headers Boost::system OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB Threads::Threads)
unset(S)
unset(text)
unset(bounded)
