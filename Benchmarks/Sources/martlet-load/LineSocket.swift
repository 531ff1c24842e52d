import Glibc

/// What ends a load run early: it is reported, counted as an error, and makes the run worthless.
struct LoadError: Error, Sendable {
    let text: String
    init(_ text: String) { self.text = text }
}

/// A blocking TCP connection to loopback that is read by lines. It makes no `String` and copies nothing on the way in, so that
/// the generator stays far cheaper than what it measures.
final class LineSocket {
    private let descriptor: Int32
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    /// A reply that takes longer than this is an error.
    private static let patienceSeconds = 120

    init(port: UInt16) throws(LoadError) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw LoadError("socket: errno \(errno)") }
        buffer = .allocate(byteCount: 256 * 1024, alignment: 16)
        var address = sockaddr_in.loopback(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard connected == 0 else { throw LoadError("connect to port \(port): errno \(errno)") }
        configure(descriptor)
        var patience = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Takes over a connection that `accept` returned.
    init(accepted: Int32) {
        descriptor = accepted
        buffer = .allocate(byteCount: 256 * 1024, alignment: 16)
        configure(accepted)
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    func write(_ bytes: [UInt8]) throws(LoadError) {
        var failure: Int32 = 0
        bytes.withUnsafeBytes { raw in
            var sent = 0
            while sent < raw.count {
                let count = send(descriptor, raw.baseAddress! + sent, raw.count - sent, Int32(MSG_NOSIGNAL))
                if count < 0 {
                    if errno == EINTR { continue }
                    failure = errno
                    return
                }
                sent += count
            }
        }
        if failure != 0 { throw LoadError("send: errno \(failure)") }
    }

    func write(_ text: String) throws(LoadError) {
        try write(Array(text.utf8))
    }

    /// The next line without its CRLF; valid until the next read. A line longer than the buffer is an error.
    func readLine() throws(LoadError) -> UnsafeRawBufferPointer {
        var scanned = start
        while true {
            if let found = memchr(buffer.baseAddress! + scanned, 10, end - scanned) {
                let newline = UnsafeMutableRawPointer(found) - buffer.baseAddress!
                var lineEnd = newline
                if lineEnd > start, buffer[lineEnd - 1] == 13 { lineEnd -= 1 }
                let line = UnsafeRawBufferPointer(rebasing: buffer[start..<lineEnd])
                start = newline + 1
                return line
            }
            let kept = end - start
            try fill()
            scanned = start + kept
        }
    }

    /// Whether a whole line has come that was not read.
    var hasLine: Bool { memchr(buffer.baseAddress! + start, 10, end - start) != nil }

    /// Passes over `count` bytes (the content of a literal).
    func skip(_ count: Int) throws(LoadError) {
        var left = count
        while left > 0 {
            if start == end { try fill() }
            let step = min(left, end - start)
            start += step
            left -= step
        }
    }

    private func fill() throws(LoadError) {
        if start == end {
            start = 0
            end = 0
        } else if end == buffer.count {
            guard start > 0 else { throw LoadError("a line is longer than \(buffer.count) bytes") }
            memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
            end -= start
            start = 0
        }
        while true {
            let count = recv(descriptor, buffer.baseAddress! + end, buffer.count - end, 0)
            if count > 0 {
                end += count
                return
            }
            if count == 0 { throw LoadError("the server closed the connection") }
            if errno != EINTR { throw LoadError(errno == EAGAIN ? "no answer in time" : "recv: errno \(errno)") }
        }
    }
}

private func configure(_ descriptor: Int32) {
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
}

extension sockaddr_in {
    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

extension UnsafeRawBufferPointer {
    func hasPrefix(_ prefix: StaticString) -> Bool {
        count >= prefix.utf8CodeUnitCount && memcmp(baseAddress!, prefix.utf8Start, prefix.utf8CodeUnitCount) == 0
    }

    func hasPrefix(_ prefix: [UInt8]) -> Bool {
        count >= prefix.count && prefix.withUnsafeBytes { memcmp(baseAddress!, $0.baseAddress!, prefix.count) } == 0
    }

    /// Where `text` begins in the line, if it is there.
    func range(of text: StaticString) -> Range<Int>? {
        let length = text.utf8CodeUnitCount
        var offset = 0
        while offset + length <= count {
            guard let found = memchr(baseAddress! + offset, Int32(text.utf8Start[0]), count - length - offset + 1) else { return nil }
            offset = UnsafeRawPointer(found) - baseAddress!
            if memcmp(found, text.utf8Start, length) == 0 { return offset..<offset + length }
            offset += 1
        }
        return nil
    }

    func contains(_ text: StaticString) -> Bool { range(of: text) != nil }

    /// The decimal number that begins at `offset`.
    func number(at offset: Int) -> Int? {
        var value = 0
        var index = offset
        while index < count, self[index] >= 48, self[index] <= 57, value < 1 << 48 {
            value = value * 10 + Int(self[index] - 48)
            index += 1
        }
        return index > offset ? value : nil
    }

    var text: String { String(decoding: self.prefix(200), as: UTF8.self) }
}
