internal import Foundation
internal import MartletCore
internal import MessageFormat

/// Writes mailboxes as mboxrd files below a directory: `INBOX.mbox`, `Sent.mbox`, `Projects/2026.mbox`.
///
/// A file has the name `.part` until it is whole. Beside it stands how much of it counts, so that an export that was interrupted
/// goes on there; `.martlet-export` in the directory says which mailboxes are whole.
public final class MboxSink: ExportSink {
    private let directory: String
    private let account: String
    private var done: DoneList
    private var file: OutputFile?
    private var encoder = MboxEncoder()
    private var mailbox = ""
    private var uidValidity: UInt32 = 0
    private var head: MessageHead?
    private var hasBegun = false
    private var start: Int64 = 0
    private var sinceMark = 0
    public private(set) var target = ""

    /// Messages between two marks.
    private static let markInterval = 1_000

    private struct Mark: Codable {
        var uidValidity: UInt32
        var uid: UInt32
        var length: Int64
    }

    public init(directory: String, account: String) throws(TransferError) {
        self.directory = directory
        self.account = account
        try OutputDirectory.make(directory)
        done = DoneList.read(directory, account: account)
    }

    public var name: String { directory }

    public func isDone(_ mailbox: String) -> Bool { done.mailboxes.contains(mailbox) }

    public func takeNotes() -> [String] { [] }

    public func open(_ mailbox: String, uidValidity: UInt32) throws(TransferError) -> UInt32 {
        let levels = mailbox.split(separator: "/").map { OutputDirectory.fileName($0) }
        target = directory + "/" + levels.joined(separator: "/") + ".mbox"
        guard DirectoryListing.kind(target) == nil else {
            throw TransferError(.target, "\(target) is there already; move it away or choose another directory")
        }
        try OutputDirectory.make(([directory] + levels.dropLast()).joined(separator: "/"))
        self.mailbox = mailbox
        self.uidValidity = uidValidity
        sinceMark = 0
        let part = target + ".part"
        if let data = FileManager.default.contents(atPath: part + ".state"),
            let mark = try? JSONDecoder().decode(Mark.self, from: data), mark.uidValidity == uidValidity,
            let size = DirectoryListing.size(part), mark.length >= 0, mark.length <= size
        {
            file = try OutputFile(part, keeping: mark.length)
            return mark.uid
        }
        removeFile(part)
        file = try OutputFile(part)
        return 0
    }

    public func begin(_ head: MessageHead) throws(TransferError) {
        self.head = head
        hasBegun = false
        start = file?.length ?? 0
    }

    public func append(_ bytes: [UInt8]) throws(TransferError) {
        try writeFromLine(bytes)
        try file?.append(encoder.append(bytes))
    }

    /// The From_ line has the envelope sender, which stands at the beginning of a message that was delivered here.
    private func writeFromLine(_ bytes: [UInt8]) throws(TransferError) {
        guard !hasBegun, let head else { return }
        hasBegun = true
        try file?.append(
            encoder.begin(
                sender: Self.returnPath(bytes), date: head.date ?? Instant(seconds: 0), flags: head.flags))
    }

    private static func returnPath(_ bytes: [UInt8]) -> [UInt8] {
        let field = Array("return-path:".utf8)
        let line = bytes.prefix(1_000).prefix { $0 != 0x0A }
        guard line.prefix(field.count).map({ $0 | 0x20 }).elementsEqual(field.map { $0 | 0x20 }),
            let open = line.firstIndex(of: UInt8(ascii: "<")), let close = line.lastIndex(of: UInt8(ascii: ">")),
            open < close
        else { return [] }
        return Array(line[(open + 1)..<close])
    }

    public func endMessage() throws(TransferError) {
        try writeFromLine([])
        try file?.append(encoder.end())
        sinceMark += 1
        if sinceMark >= Self.markInterval, let uid = head?.uid, let file {
            sinceMark = 0
            try file.sync()
            let mark = Mark(uidValidity: uidValidity, uid: uid, length: file.length)
            if let data = try? JSONEncoder().encode(mark) { try WholeFile.write(Array(data), to: file.path + ".state") }
        }
    }

    public func discardMessage() throws(TransferError) { try file?.cut(to: start) }

    public func endMailbox() throws(TransferError) {
        guard let file else { return }
        try file.sync()
        try OutputDirectory.rename(file.path, to: target)
        removeFile(file.path + ".state")
        self.file = nil
        done.mailboxes.insert(mailbox)
        try done.write(directory)
    }

    public func finish() throws(TransferError) {
        try OutputDirectory.syncAll(directory)
        DoneList.remove(directory)
    }
}

/// The mailboxes that a run has written whole, in a file that is there as long as the run is not over.
struct DoneList: Codable {
    var account: String
    var mailboxes: Set<String> = []

    private static func path(_ directory: String) -> String { directory + "/.martlet-export" }

    static func read(_ directory: String, account: String) -> DoneList {
        guard let data = FileManager.default.contents(atPath: path(directory)),
            let list = try? JSONDecoder().decode(DoneList.self, from: data), list.account == account
        else { return DoneList(account: account) }
        return list
    }

    func write(_ directory: String) throws(TransferError) {
        guard let data = try? JSONEncoder().encode(self) else { return }
        try WholeFile.write(Array(data), to: Self.path(directory))
    }

    static func remove(_ directory: String) { removeFile(path(directory)) }
}
