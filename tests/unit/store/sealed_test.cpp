#include "store/sealed_journal.hpp"

#include "support/test_loop.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ocim::store {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr auto plain = R"({"data":{"password":"aHVudGVyMg=="},"note":"hunter2-in-the-clear"})";

TEST(KeyRing, OpensWhatItSealedAndNothingElse) {
    auto ring = *KeyRing::make();
    const auto sealed = ring.seal("core/secrets/a/b", plain);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed->find("hunter2"), std::string::npos);
    EXPECT_EQ(sealed->find("aHVudGVyMg"), std::string::npos);
    EXPECT_EQ(*ring.open("core/secrets/a/b", *sealed), plain);
    EXPECT_NE(*ring.seal("core/secrets/a/b", plain), *sealed) << "never the same twice";
    EXPECT_TRUE(ring.is_current(*sealed));
    EXPECT_EQ(*ring.open("core/secrets/a/b", plain), plain) << "what was never sealed";

    EXPECT_FALSE(ring.open("core/secrets/a/c", *sealed)) << "it is the value of another name";
    for (std::size_t i = 0; i < sealed->size(); i += 7) {
        auto changed = *sealed;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        const auto opened = ring.open("core/secrets/a/b", changed);
        // a value without the mark counts as never sealed: it is then not what was stored
        if (opened) EXPECT_EQ(*opened, changed) << i;
    }
    EXPECT_FALSE(ring.open("core/secrets/a/b", sealed->substr(0, sealed->size() - 1)));

    const auto old = ring.first().id;
    ASSERT_TRUE(ring.renew());
    EXPECT_EQ(*ring.open("core/secrets/a/b", *sealed), plain) << "an old key still opens";
    EXPECT_FALSE(ring.is_current(*sealed));
    ring.forget_old();
    const auto refused = ring.open("core/secrets/a/b", *sealed);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("core/secrets/a/b is encrypted with " + old));
    EXPECT_THAT(refused.error().message, HasSubstr("not among the keys given (" + ring.first().id + ")"));
}

TEST(KeyRing, IsKeptInAFile) {
    auto ring = *KeyRing::make();
    ASSERT_TRUE(ring.renew());
    const auto sealed = *ring.seal("n", plain);
    const auto text = ring.to_text(Secret());
    ASSERT_TRUE(text);
    const auto read = KeyRing::parse(text->reveal(), Secret());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->ids(), ring.ids());
    EXPECT_EQ(*read->open("n", sealed), plain);

    const auto hidden = ring.to_text(Secret("open sesame"));
    ASSERT_TRUE(hidden);
    EXPECT_EQ(*KeyRing::parse(hidden->reveal(), Secret("open sesame"))->open("n", sealed), plain);
    const auto without = KeyRing::parse(hidden->reveal(), Secret());
    ASSERT_FALSE(without);
    EXPECT_THAT(without.error().message, HasSubstr("need a passphrase: give --encryption-passphrase-file"));
    const auto wrong = KeyRing::parse(hidden->reveal(), Secret("open"));
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("is not opened by the passphrase given"));
    const auto needless = KeyRing::parse(text->reveal(), Secret("open sesame"));
    ASSERT_FALSE(needless) << "whoever gives a passphrase believes that it protects something";

    for (const char* bad : {"", "nonsense", "ocim-encryption-keys 1\n", "ocim-encryption-keys 2\nkey a AAAA\n",
                            "ocim-encryption-keys 1\nkey a AAAA\n", "ocim-encryption-keys 1\nkey A!! AAAA\n"})
        EXPECT_FALSE(KeyRing::parse(bad, Secret())) << bad;
}

class SealedTest : public testing::Test {
protected:
    SealedTest() {
        std::string name = (fs::temp_directory_path() / "ocim-sealed-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~SealedTest() override { fs::remove_all(folder_); }

    std::string path() const { return folder_ / "ocim.db"; }
    std::unique_ptr<SealedJournal> open(KeyRing ring) {
        auto opened = open_sealed_journal(loop_.executor(), path(), std::move(ring));
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? *std::move(opened) : nullptr;
    }
    static Change change(Revision revision, const std::string& key, const std::string& value) {
        Change out;
        out.revision = revision;
        out.key = key;
        out.value = std::make_shared<const std::string>(value);
        out.time_ms = 1;
        return out;
    }
    /// Everything in the directory: the file, its log, its index.
    std::string all_bytes() const {
        std::string out;
        for (const auto& entry : fs::directory_iterator(folder_)) {
            std::ifstream file(entry.path(), std::ios::binary);
            out.append(std::istreambuf_iterator<char>(file), {});
        }
        return out;
    }

    test::TestLoop loop_;
    fs::path folder_;
};

TEST_F(SealedTest, NothingReadableIsInTheFiles) {
    const auto ring = *KeyRing::make();
    auto journal = open(ring);
    ASSERT_TRUE(loop_.run(journal->append(
        {change(1, "core/secrets/a/b", plain), change(2, "core/configmaps/a/b", R"({"data":"public"})")})));
    auto bytes = all_bytes();
    EXPECT_EQ(bytes.find("hunter2"), std::string::npos);
    EXPECT_EQ(bytes.find("aHVudGVyMg"), std::string::npos);
    EXPECT_NE(bytes.find("public"), std::string::npos) << "only what the prefix says is encrypted";
    journal.reset();
    journal = open(ring);
    const auto loaded = loop_.run(journal->load());
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(*loaded->history.at(0).value, plain);
    EXPECT_EQ(loaded->revision, 2U);
}

TEST_F(SealedTest, AnotherKeyIsRefusedByName) {
    const auto ring = *KeyRing::make();
    auto journal = open(ring);
    ASSERT_TRUE(loop_.run(journal->append({change(1, "core/secrets/a/b", plain)})));
    journal.reset();
    journal = open(*KeyRing::make());
    const auto loaded = loop_.run(journal->load());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().error_class, ErrorClass::invalid);
    EXPECT_THAT(loaded.error().message, HasSubstr("core/secrets/a/b is encrypted with " + ring.first().id));
    EXPECT_EQ(loaded.error().message.find("hunter2"), std::string::npos);
}

TEST_F(SealedTest, ANewKeyIsTakenUpWithoutALoss) {
    auto ring = *KeyRing::make();
    auto journal = open(ring);
    std::vector<Change> many;
    for (Revision i = 1; i <= 1000; ++i)
        many.push_back(change(i, "core/secrets/a/" + std::to_string(i), plain + std::to_string(i)));
    ASSERT_TRUE(loop_.run(journal->append(many)));
    const auto old = ring;
    ASSERT_TRUE(ring.renew());
    journal->use(ring);
    ASSERT_TRUE(loop_.run(journal->append({change(1001, "core/secrets/a/new", plain)})));
    journal.reset();  // as if it had been killed before it was done

    journal = open(ring);
    const auto resealed = loop_.run(journal->reseal());
    ASSERT_TRUE(resealed) << resealed.error().message;
    EXPECT_EQ(*resealed, 1000U) << "all but the new one";
    EXPECT_EQ(*loop_.run(journal->reseal()), 0U) << "nothing is left to do";
    journal.reset();

    ring.forget_old();
    journal = open(ring);
    const auto loaded = loop_.run(journal->load());
    ASSERT_TRUE(loaded) << loaded.error().message;
    ASSERT_EQ(loaded->history.size(), 1001U);
    for (Revision i = 1; i <= 1000; ++i) EXPECT_EQ(*loaded->history[i - 1].value, plain + std::to_string(i));
    journal.reset();
    journal = open(old);
    EXPECT_FALSE(loop_.run(journal->load())) << "the old key is good for nothing now";
}

TEST_F(SealedTest, WhatWasNeverEncryptedLeavesNoTrace) {
    {
        auto opened = open_sqlite_journal(loop_.executor(), path());
        ASSERT_TRUE(opened);
        ASSERT_TRUE(loop_.run((*opened)->append({change(1, "core/secrets/a/b", plain)})));
        ASSERT_TRUE(loop_.run((*opened)->append({change(2, "core/secrets/a/b", plain)})));
        ASSERT_TRUE(loop_.run((*opened)->compact(2)));
    }
    EXPECT_NE(all_bytes().find("hunter2"), std::string::npos);
    const auto ring = *KeyRing::make();
    auto journal = open(ring);
    const auto before = loop_.run(journal->load());
    ASSERT_TRUE(before) << "what is not encrypted is read all the same";
    EXPECT_EQ(*before->state.at(0).second.value, plain);
    const auto resealed = loop_.run(journal->reseal());
    ASSERT_TRUE(resealed) << resealed.error().message;
    EXPECT_EQ(*resealed, 1U);
    EXPECT_EQ(all_bytes().find("hunter2"), std::string::npos) << "not in the file, its free pages, or its log";
    const auto after = loop_.run(journal->load());
    ASSERT_TRUE(after);
    EXPECT_EQ(*after->state.at(0).second.value, plain);
}

}  // namespace
}  // namespace ocim::store
