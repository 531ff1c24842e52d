internal import Foundation
internal import Glibc

/// The socket on which the systemd journal takes entries.
package final class JournalSocket: Sendable {
    static let standardPath = "/run/systemd/journal/socket"
    /// Where tests put a journal of their own.
    static let pathVariable = "MARTLET_JOURNAL_SOCKET"
    /// How long the journal is waited for when it is behind, in milliseconds.
    static let patience: Int32 = 1_000

    private let descriptor: Int32

    /// nil when nobody listens there.
    package init?(
        path: String = ProcessInfo.processInfo.environment[JournalSocket.pathVariable] ?? JournalSocket.standardPath
    ) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) == 0 }
        }
        // `deinit` closes it.
        guard isConnected else { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether standard error leads to the journal: `JOURNAL_STREAM` names its device and inode (systemd.exec(5)).
    package static func takesStandardError(
        _ stream: String? = ProcessInfo.processInfo.environment["JOURNAL_STREAM"]
    ) -> Bool {
        var status = stat()
        guard let stream, fstat(2, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }

    /// False when the journal does not take it.
    /// - Parameter patience: for how many milliseconds it may be behind.
    func send(_ entry: [UInt8], patience: Int32) -> Bool {
        while true {
            let count = entry.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count >= 0 { return true }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS:
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&waiting, 1, patience) == 1, waiting.revents == Int16(POLLOUT) else {
                    return false
                }
            default: return false
            }
        }
    }
}
