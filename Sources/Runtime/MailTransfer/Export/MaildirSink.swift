internal import Foundation
internal import IMAPProtocol
internal import MartletCore
internal import MessageFormat

/// Writes mailboxes as Maildir++: the directory is INBOX, `.Sent` and `.Projects.2026` in it the others, keywords in
/// `dovecot-keywords`.
///
/// A message is written in `tmp` and moved to `cur` when it is whole. Its name has UIDVALIDITY and UID: an export that was
/// interrupted, or one that is made again later, adds what is missing.
public final class MaildirSink: ExportSink {
    private let directory: String
    private var keywords = MaildirKeywords()
    private var file: OutputFile?
    private var lines = LineFeedWriter()
    private var head: MessageHead?
    private var octets: Int64 = 0
    private var uidValidity: UInt32 = 0
    private var notes: [String] = []
    private var used: Set<String> = []
    public private(set) var target = ""

    public init(directory: String) throws(TransferError) {
        self.directory = directory
        try OutputDirectory.make(directory)
    }

    public var name: String { directory }

    public func isDone(_ mailbox: String) -> Bool { false }

    public func takeNotes() -> [String] {
        defer { notes = [] }
        return notes
    }

    public func open(_ mailbox: String, uidValidity: UInt32) throws(TransferError) -> UInt32 {
        target = directory + Self.folder(mailbox)
        if !used.insert(target).inserted {
            throw TransferError(.target, "two mailboxes would both be \(target); export them one by one")
        }
        if mailbox != "INBOX", mailbox.contains(".") {
            notes.append("a Maildir folder's name has no dots; they are _ in \(target)")
        }
        self.uidValidity = uidValidity
        for part in ["/tmp", "/new", "/cur"] { try OutputDirectory.make(target + part) }
        if mailbox != "INBOX", DirectoryListing.kind(target + "/maildirfolder") == nil {
            try WholeFile.write([], to: target + "/maildirfolder")
        }
        keywords = MaildirKeywords()
        if let data = FileManager.default.contents(atPath: target + "/dovecot-keywords") {
            keywords = MaildirKeywords(file: Array(data))
        }
        return try DirectoryListing.names(target + "/cur").reduce(0) { max($0, self.uid(in: $1)) }
    }

    /// `.Projects.2026` in modified UTF-7, nothing for INBOX.
    private static func folder(_ mailbox: String) -> String {
        guard mailbox != "INBOX" else { return "" }
        let levels = mailbox.split(separator: "/").map { $0.replacing(".", with: "_") }
        let name = MailboxName(trusted: levels.joined(separator: "."))
        return "/." + String(decoding: name.modifiedUTF7, as: UTF8.self)
    }

    /// The UID in a file's name when this export gave it that name; otherwise 0.
    private func uid(in name: [UInt8]) -> UInt32 {
        let parts = name.split(separator: UInt8(ascii: "."), maxSplits: 2)
        guard parts.count == 3, parts[2].starts(with: Array("martlet".utf8)),
            let text = String(validating: parts[1], as: UTF8.self), text.hasPrefix("V")
        else { return 0 }
        let numbers = text.dropFirst().split(separator: "U")
        guard numbers.count == 2, UInt32(numbers[0]) == uidValidity else { return 0 }
        return UInt32(numbers[1]) ?? 0
    }

    /// Ten digits of the UID: within a second, names sort as the messages do.
    private var unique: String {
        let uid = "\(head?.uid ?? 0)"
        let seconds = (head?.date ?? Instant(seconds: 0)).seconds
        return "\(seconds).V\(uidValidity)U\(String(repeating: "0", count: max(0, 10 - uid.count)))\(uid).martlet"
    }

    public func begin(_ head: MessageHead) throws(TransferError) {
        self.head = head
        lines = LineFeedWriter()
        octets = 0
        let path = target + "/tmp/" + unique
        removeFile(path)
        file = try OutputFile(path)
    }

    public func append(_ bytes: [UInt8]) throws(TransferError) {
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        bytes.withUnsafeBytes { lines.append($0, to: &plain) }
        octets += Int64(bytes.count)
        try file?.append(plain)
    }

    public func endMessage() throws(TransferError) {
        guard let file, let head else { return }
        var rest: [UInt8] = []
        lines.finish(to: &rest)
        try file.append(rest)
        try file.flush()
        let before = keywords
        // Dovecot's: octets in the file, and with CRLF.
        let name = MaildirName(unique: Array("\(unique),S=\(file.length),W=\(octets)".utf8), flags: head.flags)
        let encoded = name.encoded(keywords: &keywords)
        if keywords != before { try WholeFile.write(keywords.encoded, to: target + "/dovecot-keywords") }
        for keyword in head.flags.keywords where keyword.lowercased() != "$forwarded" {
            if keywords.letter(for: keyword) == nil {
                notes.append("message \(head.uid) loses the keyword \(keyword): a Maildir folder has 26")
            }
        }
        if let date = head.date {
            file.setModified(seconds: date.seconds, microseconds: date.microseconds - date.seconds * 1_000_000)
        }
        try OutputDirectory.rename(file.path, to: target + "/cur/" + String(decoding: encoded, as: UTF8.self))
        self.file = nil
    }

    public func discardMessage() throws(TransferError) {
        if let file { removeFile(file.path) }
        file = nil
    }

    public func endMailbox() throws(TransferError) { file = nil }

    public func finish() throws(TransferError) { try OutputDirectory.syncAll(directory) }
}
