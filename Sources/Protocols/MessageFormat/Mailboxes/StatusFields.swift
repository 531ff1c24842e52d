internal import MartletBytes

/// The header fields in which mbox programs keep a message's state, taken out of its header.
///
/// `Status` and `X-Status` have letters (R read, A answered, F flagged, T draft, D deleted, O not new), `X-Keywords` and
/// `X-Mozilla-Keys` words, `X-Mozilla-Status` bits in hexadecimal. `X-UID`, `X-IMAP`, `X-IMAPbase` and `Content-Length` are
/// about the file. None of them is part of the message: they are removed, so that what was exported comes back as it was.
struct StatusFields: Sendable, Hashable {
    var flags = MailboxFlags()
    /// Octets of the body in the file.
    var contentLength: Int64?
    /// The message that UW IMAP and others put first: it holds the folder's own data and is no mail.
    var isFolderData = false

    /// Whether a field belongs to the file and not to the message.
    static func isState(_ name: some Collection<UInt8>) -> Bool {
        names.contains { ASCII.equalsIgnoringCase($0.utf8, name) }
    }

    private static let names = [
        "Status", "X-Status", "X-Keywords", "X-UID", "X-IMAP", "X-IMAPbase", "Content-Length", "X-Mozilla-Status",
        "X-Mozilla-Status2", "X-Mozilla-Keys",
    ]

    /// Reads and removes the fields. O(n).
    ///
    /// - Parameter header: with or without its empty line; what is left of it afterwards is unchanged.
    static func take(from header: inout [UInt8]) -> StatusFields {
        var found = StatusFields()
        var removed: [Range<Int>] = []
        header.withUnsafeBytes { bytes in
            var walk = HeaderFields(bytes, in: 0..<bytes.count)
            while let field = walk.next() {
                let name = bytes[field.name]
                let first = ASCII.lowercased(name.first ?? 0)
                guard first == UInt8(ascii: "s") || first == UInt8(ascii: "x") || first == UInt8(ascii: "c"),
                    isState(name)
                else { continue }
                found.note(ASCII.lowercased(name), walk.unfolded(field))
                removed.append(field.whole)
            }
        }
        guard !removed.isEmpty else { return found }
        var kept: [UInt8] = []
        kept.reserveCapacity(header.count)
        var start = 0
        for range in removed {
            kept += header[start..<range.lowerBound]
            start = range.upperBound
        }
        kept += header[start...]
        header = kept
        return found
    }

    private mutating func note(_ name: [UInt8], _ value: [UInt8]) {
        switch String(decoding: name, as: UTF8.self) {
        case "status", "x-status":
            for letter in value.prefix(64) {
                switch letter {
                case UInt8(ascii: "R"): flags.system.insert(.seen)
                case UInt8(ascii: "A"): flags.system.insert(.answered)
                case UInt8(ascii: "F"): flags.system.insert(.flagged)
                case UInt8(ascii: "T"): flags.system.insert(.draft)
                case UInt8(ascii: "D"): flags.system.insert(.deleted)
                default: break
                }
            }
        case "x-keywords", "x-mozilla-keys":
            for word in value.split(separator: ASCII.space, maxSplits: 4 * MailboxFlags.maximumKeywords) {
                flags.add(keyword: String(decoding: word, as: UTF8.self))
            }
        case "x-mozilla-status":
            guard let bits = UInt16(String(decoding: value.prefix(8), as: UTF8.self), radix: 16) else { return }
            if bits & 0x1 != 0 { flags.system.insert(.seen) }
            if bits & 0x2 != 0 { flags.system.insert(.answered) }
            if bits & 0x4 != 0 { flags.system.insert(.flagged) }
            if bits & 0x8 != 0 { flags.system.insert(.deleted) }
            if bits & 0x1000 != 0 { flags.add(keyword: "$Forwarded") }
        case "x-imap": isFolderData = true
        case "content-length": contentLength = ASCII.number(value, limit: 1 << 50).map { Int64($0) }
        default: break
        }
    }

    /// The fields for a message with these flags, each with its LF: what the writer puts at the end of a header.
    static func encoded(_ flags: MailboxFlags) -> [UInt8] {
        var lines = "Status: \(flags.system.contains(.seen) ? "RO" : "O")\n"
        let letters: [(MailboxFlags.System, String)] = [
            (.answered, "A"), (.flagged, "F"), (.draft, "T"), (.deleted, "D"),
        ]
        let status = letters.filter { flags.system.contains($0.0) }.map(\.1).joined()
        if !status.isEmpty { lines += "X-Status: \(status)\n" }
        // Folded, one keyword a line beyond the first: lines stay below 998 octets (RFC 5322 §2.1.1).
        if !flags.keywords.isEmpty { lines += "X-Keywords: \(flags.keywords.joined(separator: "\n "))\n" }
        return Array(lines.utf8)
    }
}
