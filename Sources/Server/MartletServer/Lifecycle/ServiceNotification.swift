internal import Foundation
internal import Glibc

/// Tells the service manager how the server is: one datagram to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).
/// Without that variable nothing happens.
package enum ServiceNotification: String, Sendable {
    case ready = "READY=1"
    case stopping = "STOPPING=1"

    package func send(to path: String? = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"]) {
        guard let path, path.hasPrefix("/") || path.hasPrefix("@") else { return }
        var name = Array(path.utf8)
        // An abstract name begins with NUL (unix(7)).
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard name.count < room else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(rawValue.utf8)
        let length = socklen_t(MemoryLayout<sockaddr_un>.size - room + name.count)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
