internal import Glibc
internal import NetworkTransport

/// Finds out before anything is made whether the addresses can be listened on: binds each one and lets it go.
package enum PortCheck {
    /// One line for each address that cannot be had.
    package static func problems(with listeners: Configuration.Listeners) -> [String] {
        var problems: [String] = []
        for (service, addresses) in listeners.all {
            for case .internet(let host, let port) in addresses {
                guard let code = bindError(host: host, port: port) else { continue }
                problems.append("listeners.\(service): \(BindError(.internet(host: host, port: port), errno: code))")
            }
        }
        return problems
    }

    /// Whether this machine has the address ::1.
    package static var hasIPv6Loopback: Bool { bindError(host: "::1", port: 0) == nil }

    /// Whether IPv6 can be listened on at all.
    static var hasIPv6: Bool { bindError(host: "::", port: 0) == nil }

    /// The error of `bind` and `listen`; nil when they succeed.
    static func bindError(host: String, port: Int) -> Int32? {
        let (descriptor, code) = bound(host: host, port: port)
        guard descriptor >= 0 else { return code }
        defer { close(descriptor) }
        return listen(descriptor, 1) == 0 ? nil : errno
    }

    /// A socket that is bound and does not listen; -1 and the error when it cannot be had. An IPv6 one takes IPv6 only.
    static func bound(host: String, port: Int) -> (descriptor: Int32, code: Int32) {
        let family = host.contains(":") ? AF_INET6 : AF_INET
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return (-1, errno) }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
        let status: Int32
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
        guard status == 0 else {
            let code = errno
            close(descriptor)
            return (-1, code)
        }
        return (descriptor, 0)
    }
}
