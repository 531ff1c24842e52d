internal import Glibc

/// Finds out before anything is made whether the addresses can be listened on: binds each one and lets it go.
package enum PortCheck {
    /// One line for each address that cannot be had.
    package static func problems(with listeners: Configuration.Listeners) -> [String] {
        var problems: [String] = []
        for (service, addresses) in listeners.all {
            for case .internet(let host, let port) in addresses {
                guard let code = bindError(host: host, port: port) else { continue }
                problems.append(
                    "listeners.\(service): \(ListenAddress.internet(host: host, port: port)) \(told(code, port: port))")
            }
        }
        return problems
    }

    /// Whether this machine has the address ::1.
    package static var hasIPv6Loopback: Bool { bindError(host: "::1", port: 0) == nil }

    private static func told(_ code: Int32, port: Int) -> String {
        switch code {
        case EADDRINUSE: "is in use; is another server running there?"
        case EACCES: "is not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE"
        case EADDRNOTAVAIL: "is no address of this machine"
        default: "cannot be had: \(String(cString: strerror(code)))"
        }
    }

    /// The error of `bind` and `listen`; nil when they succeed.
    private static func bindError(host: String, port: Int) -> Int32? {
        let family = host.contains(":") ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
        var status: Int32
        if family == AF_INET6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, size)
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = in_port_t(port).bigEndian
            inet_pton(AF_INET6, host, &address.sin6_addr)
            status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        if status == 0 { status = listen(descriptor, 1) }
        return status == 0 ? nil : errno
    }
}
