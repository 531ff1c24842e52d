internal import Foundation
internal import Glibc

/// Asks a running server by its control socket: one line of JSON each way.
package final class ControlClient {
    /// Octets of the longest reply that is taken.
    static let maximumReply = 64 << 20
    /// How long a reply is waited for. Making an account hashes a password, which takes a third of a second.
    static let patience = 60

    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// A connection to the server that runs on this directory; nil when none runs there.
    package init?(_ directory: DataDirectory) throws(FileFailure) {
        guard directory.hasControlSocket else { return nil }
        let socketPath = try ControlSocket(directory)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FileFailure("cannot make a socket: \(String(cString: strerror(errno)))") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(socketPath.path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { place in
            place.copyBytes(from: bytes.prefix(ControlSocket.maximumPath))
        }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        let code = errno
        guard status == 0 else {
            close(descriptor)
            // A server that was killed leaves its socket behind.
            if code == ECONNREFUSED || code == ENOENT { return nil }
            throw FileFailure(
                "cannot reach the server at \(directory.controlSocket): \(String(cString: strerror(code)))")
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    package func perform(_ request: AdministrationRequest) throws(FileFailure) -> AdministrationResponse {
        // To read a whole store takes as long as it takes; a server that dies ends the wait all the same.
        wait(seconds: request.takesLong ? 0 : ControlClient.patience)
        do {
            try send(Array(try JSONEncoder().encode(request)) + [UInt8(ascii: "\n")])
            return try JSONDecoder().decode(AdministrationResponse.self, from: Data(try receiveLine()))
        } catch let failure as FileFailure {
            throw failure
        } catch {
            throw FileFailure("the server's answer is not understood: is it of another version than this command?")
        }
    }

    /// How long a reply is waited for; 0: as long as the server lives.
    private func wait(seconds: Int) {
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    /// An import or export is beginning: an answer takes as long as it takes.
    func waitForEver() { wait(seconds: 0) }

    /// Octets that have come behind the last line; waits until there are some.
    func receive() throws(FileFailure) -> [UInt8] {
        while buffer.isEmpty { try fill() }
        defer { buffer = [] }
        return buffer
    }

    func send(_ bytes: [UInt8]) throws(FileFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileFailure("the server closed the control connection") }
            rest = rest.dropFirst(count)
        }
    }

    func receiveLine() throws(FileFailure) -> [UInt8] {
        var searched = 0
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[..<end])
                buffer.removeSubrange(...end)
                return line
            }
            searched = buffer.count
            guard buffer.count < ControlClient.maximumReply else {
                throw FileFailure("the server's answer is too long")
            }
            try fill()
        }
    }

    private func fill() throws(FileFailure) {
        while true {
            var piece = [UInt8](repeating: 0, count: 262_144)
            let count = recv(descriptor, &piece, piece.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                throw FileFailure("the server has not answered for \(ControlClient.patience) seconds")
            }
            guard count > 0 else { throw FileFailure("the server closed the control connection") }
            buffer += piece[..<count]
            return
        }
    }
}
