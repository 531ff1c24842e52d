/// The octets of a string: in place, or a copy when quoting had to be taken off.
enum StringOctets {
    case range(Range<Int>)
    case copy([UInt8])
}

extension CommandReader {
    /// astring = 1*ASTRING-CHAR / string
    mutating func readAString() throws(CommandParseError) -> StringOctets {
        let octet = peek()
        if octet == 0x22 || octet == 0x7B { return try readString() }
        return try readCharacters(Octet.isAString, .string)
    }

    /// string = quoted / literal
    mutating func readString() throws(CommandParseError) -> StringOctets {
        switch peek() {
        case 0x22: return try readQuoted()
        case 0x7B: return .range(try readLiteral())
        default: throw failure(.expected(.string))
        }
    }

    /// list-mailbox = 1*list-char / string
    mutating func readListMailbox() throws(CommandParseError) -> StringOctets {
        let octet = peek()
        if octet == 0x22 || octet == 0x7B { return try readString() }
        return try readCharacters(Octet.isList, .string)
    }

    private mutating func readCharacters(
        _ isMember: (UInt8) -> Bool, _ what: CommandParseError.Expected
    ) throws(CommandParseError) -> StringOctets {
        let start = index
        while isMember(peek()) { index += 1 }
        guard index > start else { throw failure(.expected(what)) }
        return .range(start..<index)
    }

    /// Eight-bit octets are let through here: what they become is checked as UTF-8 (RFC 9051 §9, RFC 6855 §3).
    private mutating func readQuoted() throws(CommandParseError) -> StringOctets {
        index += 1
        let start = index
        var copy: [UInt8]?
        while index < bytes.count {
            let octet = bytes[index]
            switch octet {
            case 0x22:
                let range = start..<index
                index += 1
                if let copy { return .copy(copy) }
                return .range(range)
            case 0x5C:
                let escaped = peek(1)
                guard escaped == 0x22 || escaped == 0x5C else { throw failure(.expected(.string)) }
                var text = copy ?? Array(bytes[start..<index])
                text.append(escaped)
                copy = text
                index += 2
            case 0, 0x0A, 0x0D:
                throw failure(.forbiddenOctet)
            default:
                copy?.append(octet)
                index += 1
            }
        }
        throw failure(.expected(.string))
    }

    /// `{n}` CRLF and its octets, which the framer has gathered.
    private mutating func readLiteral() throws(CommandParseError) -> Range<Int> {
        index += 1
        let count = try readNumber64()
        _ = readIf(0x2B)
        guard readIf(0x7D), readIf(0x0D), readIf(0x0A) else { throw failure(.expected(.literal)) }
        guard count <= UInt64(bytes.count - index) else { throw failure(.expected(.literal)) }
        let range = index..<index + Int(count)
        for position in range where bytes[position] == 0 { throw failure(.forbiddenOctet, at: position) }
        index = range.upperBound
        return range
    }

    func octets(_ string: StringOctets) -> [UInt8] {
        switch string {
        case .range(let range): Array(bytes[range])
        case .copy(let copy): copy
        }
    }

    func withOctets<Result>(_ string: StringOctets, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        switch string {
        case .range(let range): body(UnsafeRawBufferPointer(rebasing: bytes[range]))
        case .copy(let copy): copy.withUnsafeBytes(body)
        }
    }

    /// UTF-8, checked.
    func text(_ string: StringOctets) throws(CommandParseError) -> String {
        guard let text = withOctets(string, { String(validating: $0, as: UTF8.self) }) else {
            throw failure(.invalidUTF8)
        }
        return text
    }

    mutating func readAStringText() throws(CommandParseError) -> String { try text(try readAString()) }

    mutating func readMailbox() throws(CommandParseError) -> MailboxName {
        let start = index
        let wire = try readAString()
        let name = withOctets(wire) { MailboxName(wire: $0, isUTF8: parser.acceptsUTF8) }
        guard let name else { throw failure(reason(ofBadName: wire), at: start) }
        guard name.name.utf8.count <= limits.mailboxNameBytes else {
            throw failure(.limit(.mailboxNameBytes), at: start)
        }
        return name
    }

    /// A reference or pattern of LIST: decoded as a name is, but it may be empty and hold wildcards.
    func pattern(_ wire: StringOctets, at start: Int) throws(CommandParseError) -> String {
        let text = withOctets(wire) { MailboxName.decode($0, isUTF8: parser.acceptsUTF8) }
        guard let text else { throw failure(reason(ofBadName: wire), at: start) }
        guard text.utf8.count <= limits.mailboxNameBytes else { throw failure(.limit(.mailboxNameBytes), at: start) }
        return text
    }

    /// A name that is UTF-8 and malformed is a syntax error (RFC 6855 §3); any other is one that no mailbox can have.
    private func reason(ofBadName wire: StringOctets) -> CommandParseError.Reason {
        let isText = withOctets(wire) { String(validating: $0, as: UTF8.self) != nil }
        return parser.acceptsUTF8 && !isText ? .invalidUTF8 : .mailboxName
    }
}
