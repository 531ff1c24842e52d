import Foundation

/// Loopback sockets of a test.
enum FreePort {
    struct Failure: Error {}

    /// A port that is free for UDP and TCP now.
    static func find() throws -> UInt16 {
        for _ in 0..<50 {
            let udp = try SilentServer()
            defer { udp.close() }
            let tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { Foundation.close(tcp) }
            if bindLoopback(tcp, port: udp.port) == 0 { return udp.port }
        }
        throw Failure()
    }

    static func bindLoopback(_ descriptor: Int32, port: UInt16) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// A name server that never answers: a UDP socket that nobody reads.
final class SilentServer {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0, FreePort.bindLoopback(descriptor, port: 0) == 0 else { throw FreePort.Failure() }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard status == 0 else { throw FreePort.Failure() }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }

    func close() { Foundation.close(descriptor) }
}
