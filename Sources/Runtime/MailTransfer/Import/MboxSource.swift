internal import MartletCore
public import MessageFormat

/// Messages of mbox files: one, several, or all below a directory as Thunderbird and others keep them (`Sent.sbd/2024`).
public final class MboxSource: ImportSource {
    private let paths: [String]
    private let variant: MboxVariant
    private var reader: FileReader?
    private var decoder = MboxDecoder()
    private var head: MboxMessageHead?
    private var hasMessage = false
    private var isAtEnd = false
    /// What is told before the next event of the file.
    private var waiting: [SourceEvent] = []

    /// Directories inside each other that are looked at.
    static let maximumDepth = 16
    static let maximumFiles = 100_000

    public init(paths: [String], variant: MboxVariant = .automatic) {
        self.paths = paths
        self.variant = variant
    }

    public var name: String { "mbox \(paths.joined(separator: " "))" }
    public var octetsRead: Int64 { reader?.offset ?? 0 }

    public func folders() async throws(TransferError) -> [SourceFolder] {
        var folders: [SourceFolder] = []
        for path in paths {
            switch DirectoryListing.kind(path, followsLinks: true) {
            case nil: throw TransferError(.source, "there is no \(path)")
            case .directory:
                if DirectoryListing.kind(path + "/cur") == .directory {
                    throw TransferError(.source, "\(path) is a Maildir; use “martlet import maildir”")
                }
                try addFiles(of: path, below: "", depth: 0, &folders)
            case .file, .other:
                let last = path.split(separator: "/").last.map(String.init) ?? path
                folders.append(folder(path, Self.folderName(last)))
            }
        }
        return folders
    }

    private func folder(_ path: String, _ name: String) -> SourceFolder {
        SourceFolder(name: name, octets: DirectoryListing.size(path), place: Array(path.utf8))
    }

    /// `Sent.mbox` is Sent; `inbox` and `mbox` are INBOX.
    private static func folderName(_ file: String) -> String {
        let name = file.lowercased().hasSuffix(".mbox") && file.count > 5 ? String(file.dropLast(5)) : file
        return ["inbox", "mbox"].contains(name.lowercased()) ? "INBOX" : name
    }

    private func addFiles(
        of directory: String, below: String, depth: Int, _ folders: inout [SourceFolder]
    ) throws(TransferError) {
        guard depth < Self.maximumDepth else { throw TransferError(.source, "\(directory) is too deep") }
        for bytes in try DirectoryListing.names(directory) {
            guard let file = String(validating: bytes, as: UTF8.self), !file.hasPrefix(".") else { continue }
            let path = directory + "/" + file
            switch DirectoryListing.kind(path) {
            case .directory:
                let level = file.lowercased().hasSuffix(".sbd") ? String(file.dropLast(4)) : file
                try addFiles(of: path, below: below + level + "/", depth: depth + 1, &folders)
            case .file where try isMbox(path):
                guard folders.count < Self.maximumFiles else {
                    throw TransferError(.source, "there are too many files")
                }
                folders.append(folder(path, below + Self.folderName(file)))
            default: continue
            }
        }
    }

    /// In a directory other files are passed over: indexes, settings.
    private func isMbox(_ path: String) throws(TransferError) -> Bool {
        let beginning = try FileReader(path, followsLinks: false).next(FromLine.maximumLength)
        let line = beginning.drop { $0 == 0x0A || $0 == 0x0D }.prefix { $0 != 0x0A }
        return FromLine.parse(Array(line.filter { $0 != 0x0D })) != nil
    }

    // MARK: Reading

    public func open(_ folder: SourceFolder, at position: String?) async throws(TransferError) {
        let path = String(decoding: folder.place, as: UTF8.self)
        let opened = try FileReader(path, followsLinks: true)
        waiting = []
        var offset: Int64 = 0
        if let position {
            if let place = try Self.place(position, in: opened) {
                offset = place
            } else {
                waiting.append(
                    .note(
                        "the file has changed since the last import; it is read from its beginning, what is there is skipped"
                    ))
            }
        }
        reader = offset == 0 ? opened : try FileReader(path, at: offset, followsLinks: true)
        decoder = MboxDecoder(variant: variant, offset: offset)
        hasMessage = offset > 0
        isAtEnd = false
        head = nil
        let magic = try opened.read(at: 0, 4)
        let isPacked =
            magic.starts(with: [0x1F, 0x8B]) || magic.starts(with: Array("BZh".utf8))
            || magic.starts(with: [0xFD, 0x37, 0x7A, 0x58]) || magic.starts(with: Array("PK".utf8))
            || magic.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
        if isPacked { throw TransferError(.source, "\(path) is compressed; unpack it first") }
    }

    public func next() async throws(TransferError) -> SourceEvent {
        guard let reader else { return .end }
        while true {
            if !waiting.isEmpty { return waiting.removeFirst() }
            guard let event = decoder.next() else {
                guard !isAtEnd else {
                    if reader.size > 0, !hasMessage {
                        throw TransferError(
                            .source, "\(reader.path) is no mbox: no line in it begins a message (“From sender date”)")
                    }
                    return .end
                }
                let piece = try reader.next()
                if piece.isEmpty {
                    isAtEnd = true
                    decoder.finish()
                } else {
                    decoder.append(piece)
                }
                continue
            }
            switch event {
            case .began(let found):
                head = found
                hasMessage = true
            case .content(let bytes): return .content(bytes)
            case .ended(let next):
                guard let head else { continue }
                return .message(
                    MessageHead(flags: head.flags, date: head.line.date), position: try position(next, reader))
            case .folderData:
                hasMessage = true
                return .note("a message with another program's folder data is left out")
            case .probe(let place):
                decoder.probed(place > reader.size ? nil : try reader.read(at: place, MboxDecoder.probeLength))
            case .damage(let damage, let offset):
                if let told = Self.told(damage, offset) { return told }
                hasMessage = true
            }
        }
    }

    public func close() async { reader = nil }

    private static func told(_ damage: MboxDamage, _ offset: Int64) -> SourceEvent? {
        switch damage {
        case .noFromLine(let octets): .notImported("\(octets) octets belong to no message (no From_ line before them)")
        case .emptyMessage: .notImported("at octet \(offset): a From_ line without a message")
        case .wrongContentLength(let length):
            .note("at octet \(offset): Content-Length \(length) is wrong; From_ lines counted instead")
        case .noEmptyLine:
            .note("at octet \(offset): no empty line before the From_ line; the message before it may be cut off")
        case .nuls(let count): .note("at octet \(offset): \(count) NUL octets were left out of the message")
        case .longHeader: .note("at octet \(offset): the header is longer than 1 MiB; flags beyond that are not read")
        }
    }

    // MARK: Positions

    /// Octets before a position by which it is recognised.
    private static let fingerprintLength = 256

    /// `OFFSET FINGERPRINT`
    private func position(_ offset: Int64, _ reader: FileReader) throws(TransferError) -> String {
        "\(offset) \(try Self.fingerprint(before: offset, reader))"
    }

    private static func place(_ position: String, in reader: FileReader) throws(TransferError) -> Int64? {
        let words = position.split(separator: " ")
        guard words.count == 2, let offset = Int64(words[0]), offset >= 0, offset <= reader.size,
            try fingerprint(before: offset, reader) == words[1]
        else { return nil }
        return offset
    }

    private static func fingerprint(before offset: Int64, _ reader: FileReader) throws(TransferError) -> String {
        let count = Int(min(offset, Int64(fingerprintLength)))
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in try reader.read(at: offset - Int64(count), count) {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return String(hash, radix: 16)
    }
}
