internal import Foundation
internal import Glibc

/// A user of this machine, as whom the server may run.
package struct SystemUser: Sendable, Hashable {
    package let name: String
    let userID: uid_t
    let groupID: gid_t

    /// nil when there is none of this name.
    package init?(named name: String) {
        guard let found = SystemUser.find({ getpwnam_r(name, $0, $1, $2, $3) }) else { return nil }
        self = found
    }

    /// nil when no user has this number.
    init?(userID: uid_t) {
        guard let found = SystemUser.find({ getpwuid_r(userID, $0, $1, $2, $3) }) else { return nil }
        self = found
    }

    /// Whoever runs this process.
    package static var current: SystemUser? { SystemUser(userID: geteuid()) }

    private init(name: String, userID: uid_t, groupID: gid_t) {
        self.name = name
        self.userID = userID
        self.groupID = groupID
    }

    private typealias Lookup = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    /// Octets of the longest entry that is read.
    private static let maximumEntry = 65_536

    private static func find(_ lookup: Lookup) -> SystemUser? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: maximumEntry) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            var entry = passwd()
            var result: UnsafeMutablePointer<passwd>?
            guard lookup(&entry, start, buffer.count, &result) == 0, result != nil, let name = entry.pw_name else {
                return nil
            }
            return SystemUser(name: String(cString: name), userID: entry.pw_uid, groupID: entry.pw_gid)
        }
    }
}

/// Gives up root for a user without rights, for good (Docs/decisions/0010-privileges.md).
package enum Privileges {
    package static var isRoot: Bool { geteuid() == 0 }

    /// Who this process is to become, as `server.user` says; nil when it stays who it is.
    /// - Throws: when there is no such user, or this process may not become it.
    static func user(_ name: String?) throws(ServerFailure) -> SystemUser? {
        guard let name else { return nil }
        guard let user = SystemUser(named: name) else {
            throw ServerFailure(
                .configuration,
                [
                    "server.user: this machine has no user \(escapedForTerminal(name)); make it, for example with "
                        + "“useradd --system --shell /usr/sbin/nologin \(escapedForTerminal(name))”"
                ])
        }
        guard user.userID != geteuid() else { return nil }
        guard isRoot else {
            throw ServerFailure(
                .configuration,
                [
                    "server.user is \(user.name), and this process runs as \(SystemUser.current?.name ?? "\(geteuid())"): "
                        + "start it as root or as \(user.name)"
                ])
        }
        return user
    }

    /// Groups first, then group, then user: each step needs the rights that the next one takes away. Every thread of the
    /// process changes (nptl(7)). Checked afterwards, and that there is no way back.
    static func become(_ user: SystemUser) throws(ServerFailure) {
        guard initgroups(user.name, user.groupID) == 0, setgid(user.groupID) == 0, setuid(user.userID) == 0 else {
            throw ServerFailure(
                .configuration,
                ["server.user: cannot become \(user.name): \(String(cString: strerror(errno)))"])
        }
        let isDone =
            getuid() == user.userID && geteuid() == user.userID && getgid() == user.groupID
            && getegid() == user.groupID
        guard isDone, user.userID == 0 || setuid(0) != 0 else {
            throw ServerFailure(.configuration, ["server.user: the process did not give up root's rights; it ends"])
        }
    }
}
