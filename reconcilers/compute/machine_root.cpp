#include "compute/machine_root.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ocim::compute {
namespace {

namespace fs = std::filesystem;

/// What of the host's /etc a machine gets a copy of. Nothing of it is secret or particular to the host.
constexpr std::array etc_allowed{
    "alternatives",   "ansible",     "apt",           "bash.bashrc",  "ca-certificates", "ca-certificates.conf",
    "debian_version", "dpkg",        "environment",   "gai.conf",     "host.conf",       "inputrc",
    "issue",          "ld.so.cache", "ld.so.conf",    "ld.so.conf.d", "localtime",       "login.defs",
    "magic",          "mime.types",  "nsswitch.conf", "pam.conf",     "pam.d",           "perl",
    "profile",        "profile.d",   "protocols",     "python3",      "python3.11",      "security",
    "services",       "shells",      "skel",          "ssl/certs",    "ssl/openssl.cnf", "terminfo",
    "timezone"};

void write_file(const fs::path& path, const std::string& text, unsigned mode) {
    fs::create_directories(path.parent_path());
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    must(file >= 0, "cannot write " + path.string());
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::fchmod(file, mode);
    ::close(file);
    must(written, "cannot write " + path.string());
}

/// The host's system accounts (uid below 1000), so that packages find theirs; nobody's password.
void write_accounts(const fs::path& etc, const MachineFile& machine) {
    std::ifstream host("/etc/passwd");
    std::string line, passwd, shadow;
    while (std::getline(host, line)) {
        std::stringstream fields(line);
        std::string name, secret, uid;
        std::getline(fields, name, ':');
        std::getline(fields, secret, ':');
        std::getline(fields, uid, ':');
        if (uid.empty() || uid.size() > 3 || name == machine.ssh_user) {
            if (name != "root" && name != "nobody") continue;
        }
        passwd += name == "root" ? "root:x:0:0:root:/root:/bin/bash\n" : line + "\n";
        shadow += name + ":*:19000:0:99999:7:::\n";
    }
    std::ifstream host_group("/etc/group");
    std::string group;
    while (std::getline(host_group, line)) {
        const auto second = line.find(':', line.find(':') + 1);
        const auto third = second == std::string::npos ? second : line.find(':', second + 1);
        if (third == std::string::npos || (third - second > 4 && !line.starts_with("nogroup:"))) continue;
        group += line.substr(0, third + 1) + "\n";  // without members
    }
    if (machine.ssh_user != "root") {
        passwd += machine.ssh_user + ":x:1000:1000::/home/" + machine.ssh_user + ":/bin/bash\n";
        shadow += machine.ssh_user + ":*:19000:0:99999:7:::\n";
        group += machine.ssh_user + ":x:1000:\n";
    }
    write_file(etc / "passwd", passwd, 0644);
    write_file(etc / "shadow", shadow, 0600);
    write_file(etc / "group", group, 0644);
}

void write_etc(const fs::path& etc, const MachineFile& machine) {
    fs::create_directories(etc);
    for (const auto* name : etc_allowed) {
        const auto source = fs::path("/etc") / name;
        if (!fs::exists(fs::symlink_status(source))) continue;
        fs::create_directories((etc / name).parent_path());
        fs::copy(source, etc / name,
                 fs::copy_options::recursive | fs::copy_options::copy_symlinks | fs::copy_options::skip_existing);
    }
    fs::create_symlink("../usr/lib/os-release", etc / "os-release");
    write_accounts(etc, machine);
    write_file(etc / "hostname", machine.id + "\n", 0644);
    write_file(etc / "hosts", "127.0.0.1 localhost\n" + machine.address + " " + machine.id + "\n", 0644);
    write_file(etc / "resolv.conf", "nameserver " + machine.gateway + "\n", 0644);
    write_file(etc / "ssh/sshd_config",
               "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
               "PermitRootLogin prohibit-password\nUsePAM no\nUseDNS no\nPrintMotd no\nAcceptEnv LANG LC_*\n"
               "MaxStartups 64\nSubsystem sftp internal-sftp\n",
               0644);
}

void write_home(const fs::path& root, const MachineFile& machine) {
    const auto home = machine.ssh_user == "root" ? root / "root" : root / "home" / machine.ssh_user;
    write_file(home / ".ssh/authorized_keys", machine.public_key + "\n", 0600);
    ::chmod((home / ".ssh").c_str(), 0700);
    ::chmod(home.c_str(), 0700);
    if (machine.ssh_user == "root") return;
    for (const auto& path : {home, home / ".ssh", home / ".ssh/authorized_keys"})
        must(::chown(path.c_str(), 1000, 1000) == 0, "cannot give " + path.string() + " to its user");
}

/// A copy-on-write layer of `lower` at `target`; the layer is kept in `directory`/`name`.
void mount_layer(const std::string& directory, const std::string& name, const std::string& lower,
                 const fs::path& target) {
    const auto upper = directory + "/" + name + ".upper", work = directory + "/" + name + ".work";
    fs::create_directories(upper);
    fs::create_directories(work);
    fs::create_directories(target);
    const auto options = "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work;
    must(::mount("overlay", target.c_str(), "overlay", MS_NODEV, options.c_str()) == 0,
         "cannot mount a copy-on-write layer of " + lower);
}

void mount_dev(const fs::path& dev) {
    fs::create_directories(dev);
    must(::mount("tmpfs", dev.c_str(), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") == 0, "cannot mount /dev");
    // Bound from the host one by one: the machine may make no device of its own.
    for (const auto* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
        const auto target = dev / name;
        write_file(target, "", 0666);
        must(::mount((fs::path("/dev") / name).c_str(), target.c_str(), nullptr, MS_BIND, nullptr) == 0,
             "cannot bind " + target.string());
    }
    fs::create_directories(dev / "pts");
    must(::mount("devpts", (dev / "pts").c_str(), "devpts", MS_NOSUID | MS_NOEXEC,
                 "newinstance,ptmxmode=0666,mode=0620,gid=5") == 0,
         "cannot mount /dev/pts");
    fs::create_directories(dev / "shm");
    must(::mount("tmpfs", (dev / "shm").c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m") == 0,
         "cannot mount /dev/shm");
    fs::create_symlink("pts/ptmx", dev / "ptmx");
    fs::create_symlink("/proc/self/fd", dev / "fd");
    fs::create_symlink("/proc/self/fd/0", dev / "stdin");
    fs::create_symlink("/proc/self/fd/1", dev / "stdout");
    fs::create_symlink("/proc/self/fd/2", dev / "stderr");
}

void mount_proc(const fs::path& root) {
    const auto proc = root / "proc", sys = root / "sys";
    fs::create_directories(proc);
    fs::create_directories(sys);
    constexpr auto hardened = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    must(::mount("proc", proc.c_str(), "proc", hardened, nullptr) == 0, "cannot mount /proc");
    must(::mount("sysfs", sys.c_str(), "sysfs", hardened | MS_RDONLY, nullptr) == 0, "cannot mount /sys");
    // What tells of, or reaches, the host's kernel is read-only or empty.
    for (const auto* name : {"sys", "bus", "fs", "irq"}) {
        const auto path = proc / name;
        if (!fs::exists(path)) continue;
        must(::mount(path.c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, "cannot guard /proc");
        must(::mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | hardened, nullptr) == 0,
             "cannot guard /proc");
    }
    for (const auto* name : {"sysrq-trigger", "kcore", "keys", "timer_list", "kmsg", "latency_stats", "sched_debug"}) {
        const auto path = proc / name;
        if (fs::exists(path))
            must(::mount("/dev/null", path.c_str(), nullptr, MS_BIND, nullptr) == 0, "cannot guard /proc");
    }
}

}  // namespace

void must(bool ok, const std::string& what) {
    if (!ok) throw MachineError{what + ": " + std::strerror(errno)};
}

void make_root_directories(const std::string& directory, const MachineFile& machine) {
    const fs::path root = directory + "/rootfs";
    const auto made = fs::path(directory) / "root.made";
    if (fs::exists(made)) return;
    std::error_code ignored;
    fs::remove_all(root, ignored);  // half made before a crash
    for (const auto* name : {"home", "root", "srv", "opt", "mnt", "media", "var/lib", "var/log", "var/cache",
                             "var/spool", "var/mail", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"})
        fs::create_directories(root / name);
    for (const auto* name : {"tmp", "var/tmp"}) {
        fs::create_directories(root / name);
        must(::chmod((root / name).c_str(), 01777) == 0, "cannot make " + std::string(name));
    }
    for (const auto* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"})
        if (fs::is_symlink(fs::path("/") / name)) fs::create_symlink(std::string("usr/") + name, root / name);
    fs::create_symlink("/run", root / "var/run");
    fs::create_symlink("/run/lock", root / "var/lock");
    write_etc(root / "etc", machine);
    write_home(root, machine);
    write_file(made, "", 0600);
}

void enter_root(const std::string& directory) {
    const fs::path root = directory + "/rootfs";
    must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "cannot leave the host's mounts");
    must(::mount(root.c_str(), root.c_str(), nullptr, MS_BIND, nullptr) == 0, "cannot mount the root");
    must(::mount(nullptr, root.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_NODEV, nullptr) == 0,
         "cannot mount the root");
    mount_layer(directory, "usr", "/usr", root / "usr");
    mount_layer(directory, "dpkg", "/var/lib/dpkg", root / "var/lib/dpkg");
    fs::create_directories(root / "run");
    must(::mount("tmpfs", (root / "run").c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m") == 0,
         "cannot mount /run");
    fs::create_directories(root / "run/lock");
    fs::create_directories(root / "run/sshd");
    mount_dev(root / "dev");
    mount_proc(root);
    // The old root is stacked on the new one and taken off: no path leads back.
    must(::chdir(root.c_str()) == 0, "cannot enter the root");
    must(::syscall(SYS_pivot_root, ".", ".") == 0, "cannot change the root");
    must(::umount2(".", MNT_DETACH) == 0, "cannot leave the host's root");
    must(::chdir("/") == 0, "cannot enter the root");
}

}  // namespace ocim::compute
