internal import MartletBytes

/// A message's ENVELOPE in IMAP's wire form (RFC 9051 §7.5.2, RFC 3501 §7.4.2), parentheses included.
public enum EnvelopeWireForm {
    /// The fields that an ENVELOPE tells: unfolded values, nil when absent. The first of several counts.
    struct Fields {
        var date: [UInt8]?
        var subject: [UInt8]?
        var from: [UInt8]?
        var sender: [UInt8]?
        var replyTo: [UInt8]?
        var to: [UInt8]?
        var cc: [UInt8]?
        var bcc: [UInt8]?
        var inReplyTo: [UInt8]?
        var messageID: [UInt8]?
        var references: [UInt8]?
    }

    /// One walk over the header.
    static func fields(_ bytes: UnsafeRawBufferPointer, in header: Range<Int>, limits: MessageLimits) -> Fields {
        var found = Fields()
        let walk = HeaderFields(bytes, in: header, limits: limits)
        func take(_ value: inout [UInt8]?, _ field: HeaderField) {
            if value == nil { value = walk.unfolded(field) }
        }
        for field in walk {
            switch ASCII.lowercased(bytes[field.name.lowerBound]) {
            case UInt8(ascii: "d"): if walk.isNamed(field, "date") { take(&found.date, field) }
            case UInt8(ascii: "s"):
                if walk.isNamed(field, "subject") {
                    take(&found.subject, field)
                } else if walk.isNamed(field, "sender") {
                    take(&found.sender, field)
                }
            case UInt8(ascii: "f"): if walk.isNamed(field, "from") { take(&found.from, field) }
            case UInt8(ascii: "r"):
                if walk.isNamed(field, "reply-to") {
                    take(&found.replyTo, field)
                } else if walk.isNamed(field, "references") {
                    take(&found.references, field)
                }
            case UInt8(ascii: "t"): if walk.isNamed(field, "to") { take(&found.to, field) }
            case UInt8(ascii: "c"): if walk.isNamed(field, "cc") { take(&found.cc, field) }
            case UInt8(ascii: "b"): if walk.isNamed(field, "bcc") { take(&found.bcc, field) }
            case UInt8(ascii: "i"): if walk.isNamed(field, "in-reply-to") { take(&found.inReplyTo, field) }
            case UInt8(ascii: "m"): if walk.isNamed(field, "message-id") { take(&found.messageID, field) }
            default: break
            }
        }
        return found
    }

    static func encode(_ fields: Fields, limits: MessageLimits) -> [UInt8] {
        var output: [UInt8] = [UInt8(ascii: "(")]
        output.reserveCapacity(512)
        WireString.appendOptional(fields.date, to: &output)
        output.append(ASCII.space)
        WireString.appendOptional(fields.subject, to: &output)
        output.append(ASCII.space)
        // RFC 9051 §7.5.2: sender and reply-to default to from when they are absent or empty.
        let from = addresses(fields.from, limits)
        let sender = addresses(fields.sender, limits)
        let replyTo = addresses(fields.replyTo, limits)
        for list in [
            from, sender ?? from, replyTo ?? from, addresses(fields.to, limits), addresses(fields.cc, limits),
            addresses(fields.bcc, limits),
        ] {
            output.append(contentsOf: list ?? Array("NIL".utf8))
            output.append(ASCII.space)
        }
        WireString.appendOptional(fields.inReplyTo, to: &output)
        output.append(ASCII.space)
        WireString.appendOptional(fields.messageID, to: &output)
        output.append(UInt8(ascii: ")"))
        return output
    }

    /// `((name adl mailbox host)…)`; nil when there is no address.
    private static func addresses(_ value: [UInt8]?, _ limits: MessageLimits) -> [UInt8]? {
        guard let value else { return nil }
        let entries = AddressList.parse(value, limits: limits).entries
        guard !entries.isEmpty else { return nil }
        var output: [UInt8] = [UInt8(ascii: "(")]
        for entry in entries {
            output.append(UInt8(ascii: "("))
            switch entry {
            case .mailbox(let name, let route, let local, let domain):
                for part in [name, route] as [[UInt8]?] {
                    WireString.appendOptional(part, to: &output)
                    output.append(ASCII.space)
                }
                WireString.append(local, to: &output)
                output.append(ASCII.space)
                // NIL here would announce a group.
                WireString.append(domain, to: &output)
            case .groupStart(let name):
                output.append(contentsOf: "NIL NIL ".utf8)
                WireString.append(name, to: &output)
                output.append(contentsOf: " NIL".utf8)
            case .groupEnd:
                output.append(contentsOf: "NIL NIL NIL NIL".utf8)
            }
            output.append(UInt8(ascii: ")"))
        }
        output.append(UInt8(ascii: ")"))
        return output
    }

    /// The ENVELOPE of the message or embedded message whose header is `header`.
    public static func encode(_ bytes: UnsafeRawBufferPointer, header: Range<Int>, limits: MessageLimits = .default)
        -> [UInt8]
    {
        encode(fields(bytes, in: header, limits: limits), limits: limits)
    }
}
