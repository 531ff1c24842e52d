import DNSProtocol
import Testing

@Suite struct RecordDataTests {
    static let zone = """
        @ A 192.0.2.1
        @ AAAA 2001:db8::1
        @ NS ns1.a.test.
        @ CNAME \\000x.b.test.
        @ PTR p.test.
        @ MX 10 mx.a.test.
        @ MX 0 .
        @ TXT "one" "" "tw\\"o \\\\ \\010\\255"
        @ SOA ns.a.test. root.a.test. 4294967295 1 2 3 4
        @ SRV 1 2 65535 s.test.
        @ TLSA 3 1 1 abcd
        @ CAA 128 issue "ca.test; x=y"
        @ CAA 0 iodef ""
        """

    private static func data(_ text: String) throws -> [DNSRecordData] {
        try ZoneFile.parse(Array(text.utf8), origin: try #require(DNSName("a.test"))).records.map(\.data)
    }

    @Test("What is written on the wire, and what is written as text, reads back as it was: every type")
    func roundTrip() throws {
        let all = try Self.data(Self.zone)
        #expect(Set(all.map(\.type)) == Set(DNSRecordType.allCases))
        for data in all {
            let read = try DNSRecordData.parse(data.type, data.wireForm)
            #expect(read == data)
            #expect(try Self.data("@ \(data.type.name) \(data)\n") == [data], "\(data)")
        }
    }

    @Test(
        "Wire forms by hand",
        arguments: [
            (.mx, [0, 10, 2, 109, 120, 1, 97, 0], "10 mx.a."), (.mx, [0, 0, 0], "0 ."),
            (.a, [192, 0, 2, 1], "192.0.2.1"),
            (.txt, [0], "\"\""), (.txt, [2, 104, 105, 1, 34], "\"hi\" \"\\\"\""), (.ns, [1, 97, 0], "a."),
            (.srv, [0, 1, 0, 2, 0, 25, 1, 97, 0], "1 2 25 a."), (.tlsa, [3, 1, 1, 255], "3 1 1 ff"),
            (.caa, [0, 5, 73, 83, 83, 85, 69, 99], "0 issue \"c\""),
        ] as [(DNSRecordType, [UInt8], String)])
    func byHand(type: DNSRecordType, bytes: [UInt8], text: String) throws {
        #expect(try DNSRecordData.parse(type, bytes).description == text)
    }

    @Test(
        "Data that is not of its type is refused, each for its reason",
        arguments: [
            (.a, [1, 2, 3], .truncated), (.a, [1, 2, 3, 4, 5], .trailingBytes), (.aaaa, [], .truncated),
            (.ns, [], .truncated), (.ns, [3, 97, 98], .truncated), (.ns, [0, 0], .trailingBytes),
            (.ns, [0xC0, 0x0C], .badName), (.ns, [0x40, 1, 0], .badName), (.mx, [0], .truncated),
            (.mx, [0, 1], .truncated),
            (.txt, [], .truncated), (.txt, [2, 97], .truncated), (.tlsa, [1, 1, 1], .truncated),
            (.caa, [0, 0], .badValue), (.caa, [0, 1, 32], .badValue), (.caa, [0, 2, 97], .truncated),
            (.srv, [0, 1, 0, 2, 0, 25], .truncated), (.soa, [0, 0, 0, 0, 0, 1], .truncated),
        ] as [(DNSRecordType, [UInt8], DNSWireError)])
    func refused(type: DNSRecordType, bytes: [UInt8], error: DNSWireError) {
        #expect(throws: error) { try DNSRecordData.parse(type, bytes) }
    }

    @Test("A name has at most 255 octets, however it is cut into labels")
    func longNames() throws {
        let longest: [UInt8] = Array(repeating: [1, 97], count: 127).flatMap { $0 } + [0]
        #expect(longest.count == 255)
        #expect(try DNSRecordData.parse(.ns, longest).wireForm == longest)
        #expect(throws: DNSWireError.badName) { try DNSRecordData.parse(.ns, [1, 97] as [UInt8] + longest) }
        let label: [UInt8] = [63] + [UInt8](repeating: 98, count: 63)
        #expect(throws: DNSWireError.badName) { try DNSRecordData.parse(.ns, label + label + label + label + [0]) }
    }

    @Test("Cut anywhere, data is too short or of fewer strings; with anything behind it, too long or of more")
    func cut() throws {
        for data in try Self.data(Self.zone) {
            let bytes = data.wireForm
            for end in 0..<bytes.count {
                switch try? DNSRecordData.parse(data.type, Array(bytes[..<end])) {
                case nil: break
                case .txt, .tlsa, .caa: break
                case let other?: Issue.record("\(data) cut at \(end) is \(other)")
                }
            }
        }
    }

    @Test("Whatever the bytes: random data from a seed is refused, or reads back as it was")
    func random() {
        var generator = SeededGenerator(seed: 0xDA7A)
        for _ in 0..<20_000 {
            let type = DNSRecordType.allCases.randomElement(using: &generator) ?? .a
            let bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0...4, using: &generator) : UInt8.random(in: .min ... .max, using: &generator)
            }
            guard let data = try? DNSRecordData.parse(type, bytes) else { continue }
            #expect((try? DNSRecordData.parse(type, data.wireForm)) == data)
        }
    }
}
