internal import MartletBytes
internal import MartletCore

extension MailboxName {
    /// From the wire, quoting taken off.
    ///
    /// - Parameter isUTF8: the name is UTF-8 and not modified UTF-7.
    /// - Returns: nil for a name that cannot be a mailbox's (see the type).
    public init?(wire bytes: UnsafeRawBufferPointer, isUTF8: Bool) {
        guard let text = MailboxName.decode(bytes, isUTF8: isUTF8) else { return nil }
        self.init(text)
        if isUTF8, !bytes.elementsEqual(name.utf8) { supplied = String(decoding: bytes, as: UTF8.self) }
    }

    /// From text. nil for a name that cannot be a mailbox's.
    public init?(_ text: String) {
        guard !text.isEmpty, !text.unicodeScalars.contains(where: MailboxName.isForbidden) else { return nil }
        name = MailboxName.withInbox(text)
    }

    /// RFC 9051 §5.1 asks for Net-Unicode (RFC 5198 §2): no C0 and C1 controls, no line and paragraph separators.
    static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || scalar.value >= 0x7F && scalar.value < 0xA0 || scalar.value == 0x2028
            || scalar.value == 0x2029
    }

    /// INBOX has no case (RFC 9051 §5.1), neither alone nor as the first level of a name.
    private static func withInbox(_ text: String) -> String {
        let utf8 = text.utf8
        guard utf8.count == 5 || utf8.count > 5 && utf8[utf8.index(utf8.startIndex, offsetBy: 5)] == 0x2F else {
            return text
        }
        var index = utf8.startIndex
        for letter in "INBOX".utf8 {
            guard ASCII.uppercased(utf8[index]) == letter else { return text }
            index = utf8.index(after: index)
        }
        return "INBOX" + text[index...]
    }

    /// Names, references and patterns: to UTF-8 in NFC. nil for what is not well formed, or holds a NUL or control character.
    static func decode(_ bytes: UnsafeRawBufferPointer, isUTF8: Bool) -> String? {
        var isPlain = true
        for octet in bytes {
            if octet < 0x20 || octet == 0x7F { return nil }
            if octet >= 0x80 || octet == 0x26 { isPlain = false }
        }
        if isPlain { return String(decoding: bytes, as: UTF8.self) }
        guard let text = isUTF8 ? String(validating: bytes, as: UTF8.self) : ModifiedUTF7.decode(bytes) else {
            return nil
        }
        guard !text.unicodeScalars.contains(where: isForbidden) else { return nil }
        return Normalization.nfc(text)
    }

    /// A hierarchy mark at the end of CREATE's name says that names below it will follow (RFC 9051 §6.3.4): without it.
    public var withoutTrailingDelimiter: MailboxName {
        guard name.utf8.count > 1, name.utf8.last == 0x2F else { return self }
        var without = MailboxName(trusted: String(name.dropLast()))
        without.supplied = supplied.map { String($0.dropLast()) }
        return without
    }

    /// Octets of one level of a name that is made: clients keep levels as folders on disk, where more is no file's name.
    public static let maximumLevelBytes = 255

    /// Why no mailbox may get this name, for the client; nil when one may. Mailboxes that are there are used all the same.
    ///
    /// `.` and `..` lead out of the folder in which a client keeps its mailboxes.
    public var reasonNotToMake: String? {
        for level in name.utf8.split(separator: 0x2F) {
            if level.elementsEqual(".".utf8) || level.elementsEqual("..".utf8) {
                return "A level of a mailbox's name is not . or .."
            }
            if level.count > MailboxName.maximumLevelBytes {
                return "A level of a mailbox's name has \(MailboxName.maximumLevelBytes) octets at most"
            }
        }
        return nil
    }

    /// The name in modified UTF-7 (RFC 3501 §5.1.3).
    public var modifiedUTF7: [UInt8] {
        var bytes: [UInt8] = []
        ModifiedUTF7.encode(name, into: &bytes)
        return bytes
    }
}
