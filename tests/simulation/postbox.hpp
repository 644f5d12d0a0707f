#pragma once

#include "mail/relay.hpp"
#include "simulation/judge.hpp"
#include "simulation/universe.hpp"

#include <map>
#include <string>

namespace ocim::simulation {

/// A simulated mail relay, and what people find in their mailboxes. Outlives programs.
class Postbox {
public:
    explicit Postbox(Universe& universe) : universe_(universe) {}

    /// Notifications, through it. Asked at each start of a program.
    void register_mail(runtime::Manager& manager);
    /// The relay that a Notification goes through where none is named.
    static api::Json relay_object();

    test::SimWorld<mail::Key, mail::Thing>& relay() { return relay_; }
    void set_faults(test::Faults faults);
    /// Each mail that came, once: "to: subject".
    std::multiset<std::string> mails() const;
    /// Each person has each message under one Message-ID, and again only from a program that cannot know of the first.
    void judge(Judge& judge, Program& program, std::size_t people);

private:
    struct Mail {
        std::string subject;
        std::map<std::string, unsigned> times;  // it came, by Message-ID
    };
    Universe& universe_;
    test::SimWorld<mail::Key, mail::Thing> relay_;  // what the program knows that it has taken
    std::map<mail::Key, Mail> mailbox_;             // what it has taken
    bool faulty_ = false;                           // answers were lost in this life
};

}  // namespace ocim::simulation
