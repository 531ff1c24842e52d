internal import MailStore
internal import MartletCore

/// The rules for names of mailboxes (RFC 9051 §5.1): UTF-8 in NFC, `/` between levels, no control characters.
enum MailboxName {
    /// Octets of the longest name.
    static let maximumLength = 1_000
    static let maximumDepth = 32

    /// The name as it is compared: INBOX in capitals, also as the first level, and NFC.
    static func canonical(_ name: String) -> String {
        let name = Normalization.nfc(name)
        let bytes = name.utf8.prefix(6)
        guard bytes.count >= 5, bytes.prefix(5).elementsEqual("INBOX".utf8, by: { $0 & 0xDF == $1 }) else {
            return name
        }
        if bytes.count == 5 { return "INBOX" }
        return bytes.last == UInt8(ascii: "/") ? "INBOX" + String(name.dropFirst(5)) : name
    }

    /// The canonical form of a name that may be given to a mailbox.
    static func checked(_ name: String) throws(StoreError) -> String {
        let name = canonical(name)
        guard !name.isEmpty else { throw .invalidName(reason: "it is empty") }
        guard name.utf8.count <= maximumLength else {
            throw .invalidName(reason: "it is longer than \(maximumLength) octets")
        }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }) else {
            throw .invalidName(reason: "it holds a control character")
        }
        let levels = name.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.allSatisfy({ !$0.isEmpty }) else { throw .invalidName(reason: "a level is empty") }
        guard levels.count <= maximumDepth else {
            throw .invalidName(reason: "it has more than \(maximumDepth) levels")
        }
        return name
    }

    /// The levels above, topmost first.
    static func parents(of name: String) -> [String] {
        let levels = name.split(separator: "/")
        return (1..<max(levels.count, 1)).map { levels[..<$0].joined(separator: "/") }
    }
}
