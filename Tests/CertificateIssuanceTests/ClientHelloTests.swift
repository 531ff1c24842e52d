import CertificateIssuance
import NIOCore
import Testing

@Suite("What a ClientHello offers") struct ClientHelloTests {
    private static func protocols(_ names: [String]) -> (UInt16, [UInt8]) {
        let list: [UInt8] = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        return (16, [UInt8(list.count >> 8), UInt8(list.count & 0xFF)] + list)
    }

    private static func hello(_ extensions: [(UInt16, [UInt8])], kind: UInt8 = 1, record: UInt8 = 22) -> [UInt8] {
        func counted(_ octets: [UInt8]) -> [UInt8] { [UInt8(octets.count >> 8), UInt8(octets.count & 0xFF)] + octets }
        var all: [UInt8] = []
        for (kind, content) in extensions { all += [UInt8(kind >> 8), UInt8(kind & 0xFF)] + counted(content) }
        // Version, random, session, cipher suites, compression.
        var body: [UInt8] = [3, 3]
        body += [UInt8](repeating: 7, count: 32)
        body += [1, 9]
        body += counted([0x13, 1])
        body += [1, 0]
        body += counted(all)
        return [record, 3, 1] + counted([kind, 0] + counted(body))
    }

    private func found(_ octets: [UInt8]) -> [String] {
        ClientHello.applicationProtocols(in: ByteBuffer(bytes: octets))
    }

    @Test("all protocols, in their order, wherever the extension is; nothing else is looked at")
    func offered() {
        let acme = ClientHelloTests.protocols(["acme-tls/1"])
        #expect(found(ClientHelloTests.hello([acme])) == ["acme-tls/1"])
        #expect(found(ClientHelloTests.hello([(0x0A0A, []), (0, [1, 2, 3]), acme])) == ["acme-tls/1"])
        #expect(found(ClientHelloTests.hello([acme]) + [1, 2, 3]) == ["acme-tls/1"])
        #expect(
            found(ClientHelloTests.hello([ClientHelloTests.protocols(["h2", "acme-tls/1"])])) == ["h2", "acme-tls/1"])
    }

    @Test("nothing without the extension, and of what is no ClientHello")
    func nothing() {
        let acme = ClientHelloTests.protocols(["acme-tls/1"])
        #expect(found(ClientHelloTests.hello([])) == [])
        #expect(found(ClientHelloTests.hello([(0, [1])])) == [])
        #expect(found(ClientHelloTests.hello([(16, [])])) == [])
        #expect(found(ClientHelloTests.hello([(16, [0, 9, 1])])) == [])
        #expect(found(ClientHelloTests.hello([acme], kind: 2)) == [])
        #expect(found(ClientHelloTests.hello([acme], record: 23)) == [])
        #expect(found(Array("GET / HTTP/1.1\r\n\r\n".utf8)) == [])
    }

    @Test("nothing of one that is cut off anywhere; and no octet that is another harms")
    func damaged() {
        let whole = ClientHelloTests.hello([(0, [1]), ClientHelloTests.protocols(["acme-tls/1"])])
        for length in 0..<whole.count { #expect(found(Array(whole[..<length])) == []) }
        for index in whole.indices {
            for octet: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                var damaged = whole
                damaged[index] = octet
                _ = found(damaged)
            }
        }
    }
}
