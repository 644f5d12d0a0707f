#pragma once

/// What runs on the load balancer's host: constant texts for sh(1). What differs comes as arguments and on standard
/// input, so no command is ever put together from text. They need tar, flock (util-linux), haproxy, and socat or
/// perl.
namespace ocim::loadbalancing {

/// How a script ends when not with 0.
enum ScriptExit : int {
    exit_refused = 65,       ///< haproxy -c found fault with the new version; its messages are on stderr
    exit_no_directory = 66,  ///< our directory is not there
    exit_no_tool = 67,       ///< a program that is needed is not there: stderr is its name
    exit_no_master = 69,     ///< the master socket does not answer: nothing was changed
    exit_not_reloaded = 70,  ///< the check passed, HAProxy did not take it: the former version is back
    exit_changed = 75,       ///< another version is in force than was expected, or somebody else is at work
};

/// DIRECTORY -> a line "@stale" if what HAProxy loads is not what the fragments say, or may be read by all; a line ".";
/// and a tar stream of
/// "@certificate FILE SHA256" and "@exposed FILE" (others may read it) for each file of certs; a line "."; and a tar
/// stream of the version in force (its path is its name) and of the file "loaded", or nothing when there is no version
/// yet.
extern const char* const read_script;

/// DIRECTORY SOCKET -> 0 when the directory can be written, the programs are there and the master answers.
extern const char* const probe_script;

/// DIRECTORY SOCKET READ_SCRIPT -> "backend,server,status,weight,check,code" a line for each server of the worker that
/// was started last, "backend,BACKEND,sessions,bytes in,bytes out,1xx,2xx,3xx,4xx,5xx" a line for each backend (columns
/// of HAProxy's "show stat"), a line "@told" (none of these when the master does not answer, or not
/// to the end), and then what read_script
/// prints, and a line "@unlisted" if that worker is known not to read our list of certificates: one command, because
/// each costs a session where the host is another one.
extern const char* const observe_script;

/// check|apply DIRECTORY EXPECTED SOCKET FILE...
/// Standard input is a tar stream: what differs from the version EXPECTED, domains.map as a whole, and a file
/// ".delete" with the paths that go, one a line. Makes the next version, checks it together with FILEs, and, for
/// apply, puts it in force in one step. Then the process follows: by the commands of a file ".runtime", if there is
/// one and the worker is then found to be as ".expected" says ("server BACKEND/SERVER ADDRESS PORT WEIGHT",
/// "gone BACKEND/SERVER", "map HOST BACKEND", "unmapped HOST", "certificate FILE SHA1", "listed FILE HOST...",
/// "unlisted FILE"); a line "<FILE" of the commands stands for what is in that file of the version. Else by a reload,
/// until a new worker has taken it.
extern const char* const write_script;

/// For hosts with the tool haproxy-config: TOOL DIRECTORY FRAGMENT, and probe | read | check EXPECTED | apply EXPECTED.
/// The tool has taken "DIRECTORY/conf.d/FRAGMENT", our backends, and "DIRECTORY/backends/FRAGMENT", our domain map; the
/// host makes HAProxy's configuration of all fragments by itself, within minutes. In and out it is as with read_script
/// and write_script: each backend is a file of conf.d, and the version is named by a sum of all fragments. What others
/// have there is told before the stream: "@backend NAME FRAGMENT", "@domain HOST BACKEND FRAGMENT", and
/// "@unreadable FILE" of one that the user may not read.
extern const char* const tool_script;

}  // namespace ocim::loadbalancing
