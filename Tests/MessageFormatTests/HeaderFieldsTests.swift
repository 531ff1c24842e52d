import MessageFormat
import Testing

/// Fields as `name=value`, unfolded.
private func fields(_ header: String, limits: MessageLimits = .default) -> [String] {
    let message = bytes(header)
    return message.withUnsafeBytes { buffer in
        let walk = HeaderFields(buffer, in: 0..<buffer.count, limits: limits)
        return walk.map { "\(text(buffer[$0.name]))=\(text(walk.unfolded($0)))" }
    }
}

@Suite struct HeaderFieldsTests {
    @Test(
        "a header is its fields, whichever the line ends",
        arguments: [
            ("A: b\r\nC: d\r\n\r\nE: f\r\n", ["A=b", "C=d"]), ("A: b\nC: d\n\nE: f\n", ["A=b", "C=d"]),
            ("A: b", ["A=b"]), ("A:b\r\n", ["A=b"]), ("A :b\r\n", ["A=b"]), ("A:\r\n", ["A="]), ("A: \r\n", ["A="]),
            ("\r\nA: b\r\n", []), ("\nA: b\n", []), ("", []),
            ("A: b\rc\r\n", ["A=bc"]), ("A: b:c\r\n", ["A=b:c"]),
        ])
    func walk(header: String, expected: [String]) { #expect(fields(header) == expected) }

    @Test(
        "folded lines belong to their field, and unfolding takes the line end only (RFC 5322 §2.2.3)",
        arguments: [
            ("A: b\r\n c\r\n", ["A=b c"]), ("A: b\r\n\tc\r\n", ["A=b\tc"]), ("A: b\n   c\n", ["A=b   c"]),
            ("A:\r\n b\r\n", ["A=b"]), ("A: b\r\n \r\n c\r\nD: e\r\n", ["A=b  c", "D=e"]), ("A: b\r\n  ", ["A=b"]),
            (" a: b\r\nC: d\r\n", ["C=d"]),
        ])
    func folding(header: String, expected: [String]) { #expect(fields(header) == expected) }

    @Test(
        "a line that is no field is skipped and ends nothing",
        arguments: [
            ("A: b\r\nno colon\r\nC: d\r\n", ["A=b", "C=d"]),
            ("From a@b Mon Jan  1 10:00:00 2026\r\nA: b\r\n", ["A=b"]),
            (">From x\r\nA: b\r\n", ["A=b"]), (": b\r\nA: b\r\n", ["A=b"]), ("A b: c\r\nD: e\r\n", ["D=e"]),
            ("no colon\r\n folded: here\r\nA: b\r\n", ["A=b"]), ("N\u{E4}me: x\r\nA: b\r\n", ["A=b"]),
            (String(repeating: "n", count: 999) + ": x\r\nA: b\r\n", ["A=b"]),
        ])
    func malformed(header: String, expected: [String]) { #expect(fields(header) == expected) }

    @Test("the octets of a field are told with its line ends")
    func whole() {
        let message = bytes("X: 1\r\nA: b\r\n c\r\nD: e\r\n\r\n")
        message.withUnsafeBytes { buffer in
            var walk = HeaderFields(buffer, in: 0..<buffer.count)
            let all = Array(walk)
            #expect(all.map { text(buffer[$0.whole]) } == ["X: 1\r\n", "A: b\r\n c\r\n", "D: e\r\n"])
            #expect(text(buffer[all[1].value]) == " b\r\n c")
            #expect(walk.next().map { walk.isNamed($0, "x") } == true)
        }
    }

    @Test(
        "a scan's header length is the structure's, whatever stands in the header",
        arguments: [
            ("A: b\r\n\r\nbody", 8), ("A: b\r\njunk\r\n\r\nbody", 14), ("A: b", 4), ("A: b\r\n", 6), ("\r\nbody", 2),
            ("junk\r\n\r\n", 8), ("", 0), ("A: b\n\nbody", 6), ("A: b\r\n \r\n\r\nbody", 11),
        ])
    func headerLength(message: String, length: Int) {
        #expect(HeaderScan.scan(bytes(message)).headerLength == length)
        #expect(parse(message).root.headerRange == 0..<length)
        #expect(MessageSummary.make(bytes(message)).headerLength == length)
    }

    @Test("a scan tells what the SMTP door asks for")
    func scan() {
        let scan = HeaderScan.scan(
            bytes(
                "Received: a\r\nReceived: b\r\nDelivered-To: x@y\r\nFROM: A <a@b>, c@d\r\nSender: s@t\r\nDate: now\r\n"
                    + "Message-ID: junk <i@j> <k@l>\r\nDelivered-To: z@y\r\n\r\nReceived: no\r\n"))
        #expect(scan.receivedCount == 2)
        #expect(scan.deliveredTo == ["x@y", "z@y"])
        #expect(scan.messageID == "<i@j>")
        #expect(scan.hasDate && scan.hasFrom && scan.hasMessageID)
        #expect(HeaderScan.scan(bytes("X: y\r\n\r\nFrom: a@b\r\n")).hasFrom == false)
    }
}
