internal import Glibc
internal import NetworkTransport
internal import Synchronization

/// Sockets that were bound while the process was still allowed to. Listeners take them one by one; what nobody has taken is
/// closed with this value.
final class BoundSockets: Sendable {
    private let descriptors: Mutex<[ListenAddress: Int32]>

    /// Binds all addresses of all services, or none. They take no connections yet.
    init(_ listeners: Configuration.Listeners) throws(ServerFailure) {
        var bound: [ListenAddress: Int32] = [:]
        // The port for metrics is bound by those who serve it, and is none that needs rights.
        for (service, addresses) in listeners.boundEarly {
            for case .internet(let host, let port) in addresses {
                let (descriptor, code) = PortCheck.bound(host: host, port: port)
                guard descriptor >= 0 else {
                    for other in bound.values { close(other) }
                    throw ServerFailure(
                        .configuration,
                        ["listeners.\(service): \(BindError(.internet(host: host, port: port), errno: code))"])
                }
                bound[.internet(host: host, port: port)] = descriptor
            }
        }
        descriptors = Mutex(bound)
    }

    deinit { descriptors.withLock { for descriptor in $0.values { close(descriptor) } } }

    /// The socket of an address, which is the caller's from then on; nil when there is none.
    func take(_ address: ListenAddress) -> Int32? { descriptors.withLock { $0.removeValue(forKey: address) } }
}
