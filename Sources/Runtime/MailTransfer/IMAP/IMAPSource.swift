internal import IMAPProtocol
internal import MailStore
internal import MessageFormat
public import NIOCore

/// Messages of an account on another IMAP server. Folders are opened for reading alone, messages come in windows of sequence
/// numbers and are passed on as they come. A connection that breaks is made again, and reading goes on.
public final class IMAPSource: ImportSource {
    private let server: IMAPServerAddress
    private let group: any EventLoopGroup
    private var client: IMAPClient?

    // The open folder.
    private var folder: SourceFolder?
    private var uidValidity: UInt32 = 0
    private var messages: UInt32 = 0
    /// The first message that was not asked for yet.
    private var nextNumber: UInt32 = 1
    /// All up to this UID have been passed on.
    private var doneUID: UInt32 = 0
    private var window: Window?
    private var waiting: [SourceEvent] = []
    public private(set) var octetsRead: Int64 = 0

    /// A FETCH that is being answered.
    private struct Window {
        var tag: String
        var numbers: ClosedRange<UInt32>
        var highestUID: UInt32 = 0
        var seen: Set<UInt32> = []
        var hasContent = false
    }

    static let maximumFolders = 10_000
    /// Messages in one FETCH.
    static let windowSize: UInt32 = 100
    /// Times that a broken connection is made again before a message came.
    static let maximumReconnects = 6
    private var reconnects = 0

    public init(_ server: IMAPServerAddress, group: any EventLoopGroup) {
        self.server = server
        self.group = group
    }

    public var name: String { "imap \(server.user) at \(server.host):\(server.port)" }

    private func connected() async throws(TransferError) -> IMAPClient {
        if let client { return client }
        let client = try await IMAPClient.connect(server, group: group)
        self.client = client
        return client
    }

    public func close() async {
        await client?.close()
        client = nil
    }

    // MARK: Folders

    public func folders() async throws(TransferError) -> [SourceFolder] {
        var folders: [SourceFolder] = []
        for listed in try await connected().list() {
            // A name with a line end in it could not be asked for.
            guard !listed.name.contains(where: { $0 < 0x20 }) else { continue }
            let attributes = Set(listed.attributes.map { $0.lowercased() })
            guard !attributes.contains("\\noselect"), !attributes.contains("\\nonexistent") else { continue }
            let use = SpecialUse.allCases.first { attributes.contains($0.rawValue.lowercased()) }
            folders.append(SourceFolder(name: Self.name(of: listed), use: use, place: listed.name))
        }
        return folders.sorted { ($0.name != "INBOX" ? 1 : 0, $0.name) < ($1.name != "INBOX" ? 1 : 0, $1.name) }
    }

    /// With `/` between levels. Servers that enable nothing tell names in modified UTF-7; some tell UTF-8 all the same.
    private static func name(of listed: ServerResponse.Listed) -> String {
        let isUTF8 = listed.name.contains { $0 >= 0x80 }
        let decoded = listed.name.withUnsafeBytes { MailboxName(wire: $0, isUTF8: isUTF8)?.name }
        let text = decoded ?? String(decoding: listed.name, as: UTF8.self)
        guard let delimiter = listed.delimiter, delimiter != UInt8(ascii: "/") else { return canonical(text) }
        let mark = Character(UnicodeScalar(delimiter))
        // A `/` within a level would make two of it.
        let levels = text.split(separator: mark).map { $0.split(separator: "/").joined(separator: "_") }
        return canonical(levels.joined(separator: "/"))
    }

    private static func canonical(_ name: String) -> String { name.uppercased() == "INBOX" ? "INBOX" : name }

    // MARK: Reading

    public func open(_ folder: SourceFolder, at position: String?) async throws(TransferError) {
        self.folder = folder
        waiting = []
        window = nil
        octetsRead = 0
        doneUID = 0
        let (validity, count) = try await connected().examine(folder.place)
        (uidValidity, messages) = (validity, count)
        let words = (position ?? "").split(separator: " ").compactMap { UInt32($0) }
        if words.count == 2 {
            if words[0] == validity {
                doneUID = words[1]
            } else {
                waiting.append(
                    .note("the server has numbered its messages anew; all are read, what is there already is skipped"))
            }
        }
        nextNumber = try await firstNumber(after: doneUID)
    }

    /// The lowest sequence number whose UID is above `uid`: found by halving.
    private func firstNumber(after uid: UInt32) async throws(TransferError) -> UInt32 {
        guard uid > 0, messages > 0 else { return 1 }
        let client = try await connected()
        var low: UInt32 = 1
        var high = messages + 1
        while low < high {
            let middle = low + (high - low) / 2
            guard let found = try await client.uid(of: middle) else { return 1 }
            if found <= uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    public func next() async throws(TransferError) -> SourceEvent {
        while true {
            if !waiting.isEmpty { return waiting.removeFirst() }
            do throws(TransferError) {
                if let event = try await step() { return event }
            } catch  where error.kind == .unreachable {
                // The rest of a message that was cut off comes again.
                let hadContent = window?.hasContent == true
                try await reconnect(after: error)
                if hadContent { return .discard }
            }
        }
    }

    private func step() async throws(TransferError) -> SourceEvent? {
        let client = try await connected()
        guard let current = window else {
            guard nextNumber <= messages else { return .end }
            let last = messages - nextNumber >= Self.windowSize ? nextNumber + Self.windowSize - 1 : messages
            let command = "FETCH \(nextNumber):\(last) (UID FLAGS INTERNALDATE BODY.PEEK[])"
            window = Window(tag: try await client.send(Array(command.utf8)), numbers: nextNumber...last)
            return nil
        }
        switch try await client.next() {
        case .bodyBegan: window?.hasContent = true
        case .body(let bytes):
            octetsRead += Int64(bytes.count)
            return .content(bytes)
        case .response(.fetch(let fetched)): return received(fetched)
        case .response(.tagged(current.tag, let status, _, let text)): ended(current, status, text)
        case .response: break
        }
        return nil
    }

    private func received(_ fetched: ServerResponse.Fetched) -> SourceEvent? {
        guard let current = window else { return nil }
        // Flags that somebody changed meanwhile, or a message that was asked for before.
        guard fetched.body != .absent else { return nil }
        window?.hasContent = false
        let isNew =
            current.numbers.contains(fetched.sequenceNumber) && !current.seen.contains(fetched.sequenceNumber)
            && (fetched.uid ?? .max) > doneUID
        guard isNew else { return fetched.body == .streamed ? .discard : nil }
        window?.seen.insert(fetched.sequenceNumber)
        window?.highestUID = max(current.highestUID, fetched.uid ?? 0)
        reconnects = 0
        let head = MessageHead(flags: MailboxFlags(imap: fetched.flags ?? []), date: fetched.internalDate)
        // Reading goes on behind the last window that is complete: a server may answer in any order.
        let event = SourceEvent.message(head, position: "\(uidValidity) \(doneUID)")
        switch fetched.body {
        case .streamed: return event
        case .text(let bytes) where !bytes.isEmpty:
            waiting.append(event)
            return .content(bytes)
        case .text: return .notImported("message \(fetched.uid ?? 0) is empty")
        case .none, .absent: return .notImported("the server does not give message \(fetched.uid ?? 0)")
        }
    }

    private func ended(_ current: Window, _ status: ServerResponse.Status, _ text: String) {
        window = nil
        doneUID = max(doneUID, current.highestUID)
        let missing = current.numbers.filter { !current.seen.contains($0) }
        if status == .ok || missing.count <= 1 || current.numbers.count == 1 {
            for number in missing where status != .ok {
                waiting.append(.notImported("the server does not give message number \(number): \(text)"))
            }
            nextNumber = current.numbers.upperBound + 1
            return
        }
        // The server stopped at a message that it cannot read: behind it the rest is asked for.
        let stop = missing[0]
        waiting.append(.notImported("the server does not give message number \(stop): \(text)"))
        nextNumber = stop + 1
    }

    private func reconnect(after error: TransferError) async throws(TransferError) {
        var error = error
        await client?.abandon()
        client = nil
        window = nil
        guard let folder else { throw error }
        while reconnects < Self.maximumReconnects {
            reconnects += 1
            // 1, 2, 4 … seconds.
            try? await Task.sleep(for: .seconds(1 << (reconnects - 1)))
            do throws(TransferError) {
                let (validity, count) = try await connected().examine(folder.place)
                guard validity == uidValidity else {
                    throw TransferError(
                        .source, "the server has numbered the messages of \(folder.name) anew; begin the import again")
                }
                messages = count
                nextNumber = try await firstNumber(after: doneUID)
                return
            } catch  where error.kind == .unreachable {
                await client?.abandon()
                client = nil
            }
        }
        error = TransferError(.unreachable, "\(error.description) (tried \(Self.maximumReconnects) times)")
        throw error
    }
}
