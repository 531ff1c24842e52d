internal import Glibc
internal import IMAPProtocol
internal import MartletCore
internal import MessageFormat

/// Messages of a Maildir and its folders: Maildir++ (`.Sent.2024`, as Dovecot and Courier keep them), folders as directories
/// (`Sent/2024`, Dovecot's LAYOUT=fs and mbsync's Verbatim), and directories with dots (`INBOX.Sent`, offlineimap).
public final class MaildirSource: ImportSource {
    private let root: String
    private var directory = ""
    private var keywords = MaildirKeywords()
    /// Names in `cur` and `new` with the directory's letter, sorted by what stays of them.
    private var files: [(unique: [UInt8], name: [UInt8], isNew: Bool)] = []
    private var place = 0
    private var reader: FileReader?
    private var normaliser = LineEndingNormaliser()
    private var waiting: [SourceEvent] = []
    public private(set) var octetsRead: Int64 = 0

    static let maximumDepth = 16
    static let maximumFolders = 10_000

    public init(path: String) {
        root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    public var name: String { "maildir \(root)" }

    public func folders() async throws(TransferError) -> [SourceFolder] {
        guard DirectoryListing.kind(root, followsLinks: true) == .directory else {
            throw TransferError(.source, "\(root) is no directory")
        }
        var folders: [SourceFolder] = []
        if isMaildir(root) { folders.append(SourceFolder(name: "INBOX", place: Array(root.utf8))) }
        try addFolders(of: root, below: "", depth: 0, &folders)
        guard !folders.isEmpty else {
            throw TransferError(.source, "\(root) is no Maildir: neither it nor a directory in it has “cur” and “new”")
        }
        return folders
    }

    private func isMaildir(_ path: String) -> Bool {
        DirectoryListing.kind(path + "/cur", followsLinks: true) == .directory
            && DirectoryListing.kind(path + "/new", followsLinks: true) == .directory
    }

    private func addFolders(
        of directory: String, below: String, depth: Int, _ folders: inout [SourceFolder]
    ) throws(TransferError) {
        guard depth < Self.maximumDepth else { throw TransferError(.source, "\(directory) is too deep") }
        for bytes in try DirectoryListing.names(directory) {
            guard let file = String(validating: bytes, as: UTF8.self), !["cur", "new", "tmp"].contains(file) else {
                continue
            }
            let path = directory + "/" + file
            guard DirectoryListing.kind(path) == .directory else { continue }
            let isDotted = file.hasPrefix(".") || (!isMaildir(root) && file.hasPrefix("INBOX."))
            let name = below + Self.decoded(file, isDotted: isDotted)
            if isMaildir(path) {
                guard folders.count < Self.maximumFolders else {
                    throw TransferError(.source, "there are more than \(Self.maximumFolders) folders")
                }
                folders.append(SourceFolder(name: name, place: Array(path.utf8)))
            }
            // Maildir++ has no directories inside its folders.
            if !file.hasPrefix(".") { try addFolders(of: path, below: name + "/", depth: depth + 1, &folders) }
        }
    }

    /// The name that a directory stands for. Names are in modified UTF-7, or as they are.
    private static func decoded(_ file: String, isDotted: Bool) -> String {
        let text = Array(file.utf8).withUnsafeBytes { MailboxName(wire: $0, isUTF8: false)?.name } ?? file
        guard isDotted else { return text }
        return text.split(separator: ".").joined(separator: "/")
    }

    // MARK: Reading

    public func open(_ folder: SourceFolder, at position: String?) async throws(TransferError) {
        directory = String(decoding: folder.place, as: UTF8.self)
        reader = nil
        files = []
        waiting = []
        place = 0
        octetsRead = 0
        keywords = MaildirKeywords()
        if let file = try? FileReader(directory + "/dovecot-keywords", followsLinks: false) {
            keywords = MaildirKeywords(file: try file.next(MaildirKeywords.maximumFile))
        }
        for (part, isNew) in [("cur", false), ("new", true)] {
            for name in try DirectoryListing.names(directory + "/" + part) where name.first != 0x2E {
                files.append((MaildirName.parse(name).unique, name, isNew))
            }
        }
        files.sort { $0.unique.lexicographicallyPrecedes($1.unique) }
        if let position {
            let last = Array(position.utf8)
            files.removeAll { !last.lexicographicallyPrecedes($0.unique) }
        }
    }

    public func next() async throws(TransferError) -> SourceEvent {
        while true {
            if !waiting.isEmpty { return waiting.removeFirst() }
            if let reader {
                do throws(TransferError) {
                    let piece = try reader.next()
                    if piece.isEmpty { return end(of: reader) }
                    octetsRead += Int64(piece.count)
                    var content: [UInt8] = []
                    content.reserveCapacity(piece.count + piece.count / 16)
                    normaliser.append(piece, to: &content)
                    if !content.isEmpty { return .content(content) }
                } catch {
                    // A disk that fails in the middle of a message.
                    self.reader = nil
                    waiting.append(.notImported(error.description))
                    return .discard
                }
                continue
            }
            guard place < files.count else { return .end }
            if let problem = open(files[place]) { return problem }
        }
    }

    private func open(_ file: (unique: [UInt8], name: [UInt8], isNew: Bool)) -> SourceEvent? {
        let part = directory + (file.isNew ? "/new/" : "/cur/")
        guard let text = String(validating: file.name, as: UTF8.self) else {
            place += 1
            return .notImported("a file in \(part) has a name that is not UTF-8")
        }
        do throws(TransferError) {
            let opened = try FileReader(part + text, followsLinks: false)
            guard opened.size > 0 else {
                place += 1
                return .notImported("\(part)\(text) is empty")
            }
            normaliser = LineEndingNormaliser()
            reader = opened
            return nil
        } catch {
            place += 1
            return .notImported(error.description)
        }
    }

    private func end(of reader: FileReader) -> SourceEvent {
        let file = files[place]
        place += 1
        self.reader = nil
        var flags = MaildirName.parse(file.name, keywords: keywords).flags
        // What is in `new` nobody has seen.
        if file.isNew { flags.system.remove(.seen) }
        if normaliser.removedNULs > 0 {
            waiting.append(
                .note("\(reader.path): \(normaliser.removedNULs) NUL octets were left out of the message"))
        }
        let date = Instant(microseconds: reader.modified.seconds &* 1_000_000 &+ reader.modified.nanoseconds / 1_000)
        return .message(
            MessageHead(flags: flags, date: date), position: String(decoding: file.unique, as: UTF8.self))
    }

    public func close() async {
        reader = nil
        files = []
    }
}
